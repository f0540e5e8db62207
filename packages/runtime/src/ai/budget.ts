import type { Session } from "../session.ts";

export interface BudgetLimits {
  /** Input and output tokens of the whole session. */
  readonly tokens?: number;
  /** In micro-units of the price table's currency. */
  readonly costMicros?: number;
}

type Measure = keyof BudgetLimits;

/** Asks a person for more when a limit is reached; each yes is recorded and allows as much again. */
export class Budget {
  readonly #session: Session;
  readonly #limits: BudgetLimits;
  readonly #grants: Record<Measure, number>;

  private constructor(session: Session, limits: BudgetLimits, grants: Record<Measure, number>) {
    this.#session = session;
    this.#limits = limits;
    this.#grants = grants;
  }

  static async open(session: Session, limits: BudgetLimits = {}): Promise<Budget> {
    const grants = { tokens: 0, costMicros: 0 };
    for await (const { type, body } of session.history()) {
      if (type === "budget.extended") grants[(body as { readonly measure: Measure }).measure] += 1;
    }
    return new Budget(session, limits, grants);
  }

  /** Resolves when there is something left to spend; throws `RUNTIME_LIMITED` when a person says no. */
  async check(): Promise<void> {
    for (const measure of ["tokens", "costMicros"] as const) {
      const limit = this.#limits[measure];
      if (limit === undefined) continue;
      for (let used = this.#used(measure); used >= limit * (this.#grants[measure] + 1); ) {
        const reason = `${used} ${measure} are used, and ${limit * (this.#grants[measure] + 1)} are allowed.`;
        const request = { action: "budget.extend", resource: measure, reason };
        const { allow } = await this.#session.ask(`budget:${measure}:${this.#grants[measure] + 1}`, request);
        if (!allow) throw new BudgetRefused(measure);
        this.#grants[measure] += 1;
        await this.#session.emit("budget.extended", { measure });
      }
    }
  }

  #used(measure: Measure): number {
    const { inputTokens, outputTokens, costMicros } = this.#session.usage();
    return measure === "tokens" ? inputTokens + outputTokens : costMicros;
  }
}

class BudgetRefused extends Error {
  override readonly name = "BudgetRefused";
  readonly code = "RUNTIME_LIMITED";

  constructor(what: string) {
    super(`The session has used up its ${what} and got no more.`);
  }
}
