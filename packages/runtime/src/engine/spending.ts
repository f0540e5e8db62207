import type { Budget } from "../agent.ts";
import { RuntimeError } from "../errors.ts";
import type { ApprovalRequest, SessionUsage } from "../session.ts";
import type { TurnRecord } from "./turn-record.ts";

export interface SpendingDeps {
  readonly record: TurnRecord;
  readonly budget: Budget;
  readonly usage: () => SessionUsage;
  readonly ask: (name: string, request: ApprovalRequest) => Promise<{ readonly allow: boolean }>;
}

const used: Readonly<Record<keyof Budget, (usage: SessionUsage) => number>> = {
  tokens: ({ inputTokens, outputTokens }) => inputTokens + outputTokens,
  costMicros: ({ costMicros }) => costMicros,
  activeMs: ({ activeMs }) => activeMs,
};

/** Resolves when there is something left to spend. Asks a person for more when a limit is reached; a yes grants as much again. */
export async function withinBudget({ record, budget, usage, ask }: SpendingDeps): Promise<void> {
  for (const measure of ["tokens", "costMicros", "activeMs"] as const) {
    const limit = budget[measure];
    if (limit === undefined) continue;
    for (;;) {
      const { grants = {} } = record.state;
      const granted = (grants[measure] ?? 0) + 1;
      const spent = used[measure](usage());
      if (spent < limit * granted) break;
      const reason = `${spent} ${measure} are used, and ${limit * granted} are allowed.`;
      const { allow } = await ask(`budget:${measure}:${granted}`, {
        action: "budget.extend",
        resource: measure,
        reason,
      });
      if (!allow) {
        throw new RuntimeError("RUNTIME_LIMITED", `The session has used up its ${measure} and was granted no more.`);
      }
      const state = { ...record.state, grants: { ...grants, [measure]: granted } };
      await record.append([{ type: "budget.extended", body: { measure, times: granted } }], state);
    }
  }
}
