import type { CallContext } from "../dialect.ts";
import { factsOf, isInference } from "../internal/span-facts.ts";
import type { Price, Pricing } from "../pricing.ts";
import type { SpanRecord } from "../span-record.ts";
import type { TraceStore } from "../trace-store.ts";

interface PricedSpan extends SpanRecord {
  readonly price?: Price;
}

const MOST_SPANS = 5000;

/** Spans of a session's traces, oldest trace first, with prices where they are known. */
export async function sessionSpans(
  context: CallContext,
  { traces, session, pricing }: { readonly traces: TraceStore; readonly session: string; readonly pricing?: Pricing },
): Promise<{ readonly spans: readonly PricedSpan[]; readonly cut: boolean }> {
  const { items } = await traces.list(context, { session, limit: 200 });
  const spans: PricedSpan[] = [];
  for (const { traceId } of [...items].reverse()) {
    if (spans.length >= MOST_SPANS) return { spans, cut: true };
    for (const span of await traces.trace(context, traceId, { limit: MOST_SPANS - spans.length })) {
      const facts = factsOf(span);
      const price =
        isInference(facts.operation) && facts.model !== undefined ? pricing?.price(facts.model, facts) : undefined;
      spans.push(price === undefined ? span : { ...span, price });
    }
  }
  return { spans, cut: false };
}
