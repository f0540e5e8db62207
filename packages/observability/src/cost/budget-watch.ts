import type { CallContext, Clock } from "../dialect.ts";
import { systemClock } from "../dialect.ts";
import type { Price } from "../pricing.ts";
import { type CostDeps, type CostQuery, costs } from "./costs.ts";

export interface Budget {
  readonly by: CostQuery["by"];
  /** Only this session, agent or model; each of them when absent. */
  readonly key?: string;
  readonly limit: Price;
  /** Counts what was spent in so many milliseconds before now; all there is when absent. */
  readonly windowMs?: number;
}

export interface BudgetOverrun {
  readonly budget: Budget;
  readonly key: string;
  readonly spent: Price;
}

/** Who acts when a budget is used up: stops the session, refuses the agent, calls somebody. */
export interface BudgetAction {
  /** At least once for each overrun; again only after the sum was below the limit in between. */
  exceeded(context: CallContext, overrun: BudgetOverrun): Promise<void>;
}

export interface BudgetWatchDeps extends CostDeps {
  readonly budgets: readonly Budget[];
  readonly action: BudgetAction;
  readonly clock?: Clock;
}

/** Compares what was spent with the budgets each time it is asked to look. What spans have not arrived yet is not counted. */
export class BudgetWatch {
  readonly #deps: BudgetWatchDeps;
  readonly #told = new Set<string>();

  constructor(deps: BudgetWatchDeps) {
    this.#deps = deps;
  }

  /** The overruns of the context's tenant as they stand; new ones are given to the action. */
  async look(context: CallContext): Promise<readonly BudgetOverrun[]> {
    const { budgets, action, clock = systemClock } = this.#deps;
    const found: BudgetOverrun[] = [];
    for (const [index, budget] of budgets.entries()) {
      const { by, key: only, limit, windowMs } = budget;
      const from = windowMs === undefined ? {} : { from: clock.now() - windowMs };
      for (const { key, prices } of await costs(context, this.#deps, { by, ...from })) {
        if (only !== undefined && only !== key) continue;
        const spent = prices.find(({ currency }) => currency === limit.currency);
        const name = JSON.stringify([context.principal.tenant, index, key]);
        if (spent === undefined || spent.micros < limit.micros) {
          this.#told.delete(name);
          continue;
        }
        const overrun = { budget, key, spent };
        found.push(overrun);
        if (this.#told.has(name)) continue;
        await action.exceeded(context, overrun);
        this.#told.add(name);
      }
    }
    return found;
  }
}
