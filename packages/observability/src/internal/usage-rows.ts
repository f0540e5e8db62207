import type { SpanRecord } from "../span-record.ts";
import type { UsageKey, UsageRow } from "../trace-store.ts";
import { factsOf, isInference, type SpanFacts } from "./span-facts.ts";

type Sum = { -readonly [Key in keyof UsageRow]: UsageRow[Key] };

function keyOf(by: UsageKey, facts: SpanFacts): string | undefined {
  if (by === "tool") return facts.operation === "execute_tool" ? facts.tool : undefined;
  return isInference(facts.operation) ? facts[by] : undefined;
}

/** The sums that `TraceStore.usage` promises, over spans at hand. Ordered by key, then model. */
export function usageRows(spans: Iterable<SpanRecord>, by: UsageKey): readonly UsageRow[] {
  const sums = new Map<string, Sum>();
  for (const span of spans) {
    if (span.open === true) continue;
    const facts = factsOf(span);
    const key = keyOf(by, facts);
    if (key === undefined) continue;
    const model = by === "tool" ? undefined : facts.model;
    const id = JSON.stringify([key, model]);
    let sum = sums.get(id);
    if (sum === undefined) {
      sum = {
        key,
        ...(model === undefined ? {} : { model }),
        calls: 0,
        errors: 0,
        inputTokens: 0,
        outputTokens: 0,
        cachedTokens: 0,
        durationMs: 0,
      };
      sums.set(id, sum);
    }
    sum.calls += 1;
    if (span.status === "error") sum.errors += 1;
    sum.durationMs += span.endAt - span.startAt;
    if (by === "tool") continue;
    sum.inputTokens += facts.inputTokens;
    sum.outputTokens += facts.outputTokens;
    sum.cachedTokens += facts.cachedTokens;
  }
  return [...sums.values()].sort((a, b) => compare(a.key, b.key) || compare(a.model ?? "", b.model ?? ""));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
