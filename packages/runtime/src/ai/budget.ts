import type { Session } from "../session.ts";

export interface BudgetLimits {
  /** Input and output tokens of the whole session. */
  readonly tokens?: number;
  /** In micro-units of the price table's currency. */
  readonly costMicros?: number;
}

/** Asks a person for more when a limit is reached; each yes allows as much again. */
export async function withinBudget(session: Session, limits: BudgetLimits = {}): Promise<void> {
  const { inputTokens, outputTokens, costMicros } = session.usage();
  const used = { tokens: inputTokens + outputTokens, costMicros };
  for (const name of ["tokens", "costMicros"] as const) {
    const limit = limits[name];
    if (limit === undefined || used[name] < limit) continue;
    for (let granted = 1; used[name] >= limit * granted; granted++) {
      const request = {
        action: "budget.extend",
        resource: name,
        reason: `${used[name]} of ${limit * granted} ${name} are used.`,
      };
      const { allow } = await session.ask(`budget:${name}:${granted}`, request);
      if (!allow) throw new BudgetRefused(name);
    }
  }
}

class BudgetRefused extends Error {
  override readonly name = "BudgetRefused";
  readonly code = "RUNTIME_LIMITED";

  constructor(what: string) {
    super(`The session has used up its ${what} and got no more.`);
  }
}
