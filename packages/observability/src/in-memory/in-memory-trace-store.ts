import type { CallContext, Page } from "../dialect.ts";
import { ObservabilityError } from "../errors.ts";
import { factsOf } from "../internal/span-facts.ts";
import { decodePosition, encodePosition, limitOf } from "../internal/trace-page.ts";
import { usageRows } from "../internal/usage-rows.ts";
import type { SpanRecord } from "../span-record.ts";
import type { TraceQuery, TraceStore, TraceSummary, UsageQuery, UsageRow } from "../trace-store.ts";

/** Traces by id, spans by id. */
type Traces = Map<string, Map<string, SpanRecord>>;

/** The executable specification: for tests, and for processes whose traces may die with them. */
export class InMemoryTraceStore implements TraceStore {
  readonly #tenants = new Map<string, Traces>();
  #closed = false;

  async append({ principal }: CallContext, spans: readonly SpanRecord[]): Promise<void> {
    this.#refuseClosed();
    const traces = this.#tenants.get(principal.tenant) ?? new Map<string, Map<string, SpanRecord>>();
    this.#tenants.set(principal.tenant, traces);
    for (const span of spans) {
      const trace = traces.get(span.traceId) ?? new Map<string, SpanRecord>();
      traces.set(span.traceId, trace);
      const known = trace.get(span.spanId);
      if (known === undefined || (known.open === true && span.open !== true))
        trace.set(span.spanId, structuredClone(span));
    }
  }

  async trace(
    context: CallContext,
    traceId: string,
    options: { readonly limit?: number } = {},
  ): Promise<readonly SpanRecord[]> {
    const limit = limitOf(options.limit, { usual: 10_000, most: 100_000 });
    return ordered(this.#traces(context).get(traceId)).slice(0, limit);
  }

  async list(context: CallContext, query: TraceQuery = {}): Promise<Page<TraceSummary>> {
    const limit = limitOf(query.limit, { usual: 50, most: 1000 });
    const after = query.cursor === undefined ? undefined : decodePosition(query.cursor);
    const found = [...this.#traces(context)]
      .filter(([, spans]) => query.session === undefined || has(spans, query.session))
      .map(([traceId, spans]) => summary(traceId, ordered(spans)))
      .filter(({ startAt, errors }) => {
        if (query.errorsOnly === true && errors === 0) return false;
        return startAt >= (query.from ?? -Infinity) && startAt < (query.until ?? Infinity);
      })
      .sort((a, b) => b.startAt - a.startAt || (a.traceId < b.traceId ? 1 : -1))
      .filter((each) => {
        if (after === undefined) return true;
        return each.startAt < after.startAt || (each.startAt === after.startAt && each.traceId < after.traceId);
      });
    const items = found.slice(0, limit);
    const last = items.at(-1);
    return { items, ...(found.length > limit && last !== undefined ? { cursor: encodePosition(last) } : {}) };
  }

  async usage(
    context: CallContext,
    { by, session, from = -Infinity, until = Infinity }: UsageQuery,
  ): Promise<readonly UsageRow[]> {
    const spans = [...this.#traces(context).values()].flatMap((trace) => [...trace.values()]);
    return usageRows(
      spans.filter((span) => {
        if (session !== undefined && factsOf(span).session !== session) return false;
        return span.startAt >= from && span.startAt < until;
      }),
      by,
    );
  }

  async sweep({
    endedBefore,
    tenant,
    limit,
  }: Parameters<TraceStore["sweep"]>[0]): Promise<{ removed: number; more: boolean }> {
    this.#refuseClosed();
    const most = limitOf(limit, { usual: 1000, most: 100_000 });
    const due = [...this.#tenants]
      .filter(([name]) => tenant === undefined || name === tenant)
      .flatMap(([, traces]) => [...traces].map(([traceId, spans]) => ({ traces, ...summary(traceId, ordered(spans)) })))
      .filter(({ endAt }) => endAt < endedBefore)
      .sort((a, b) => a.endAt - b.endAt);
    let removed = 0;
    for (const { traces, traceId, spans } of due) {
      if (removed >= most) return { removed, more: true };
      traces.delete(traceId);
      removed += spans;
    }
    return { removed, more: false };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#tenants.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #traces({ principal }: CallContext): Traces {
    this.#refuseClosed();
    return this.#tenants.get(principal.tenant) ?? new Map();
  }

  #refuseClosed(): void {
    if (this.#closed)
      throw new ObservabilityError("OBSERVABILITY_STORE_CLOSED", "This trace store was closed: make a new one.");
  }
}

function ordered(spans: ReadonlyMap<string, SpanRecord> | undefined): readonly SpanRecord[] {
  return [...(spans?.values() ?? [])].sort((a, b) => a.startAt - b.startAt || (a.spanId < b.spanId ? -1 : 1));
}

function has(spans: ReadonlyMap<string, SpanRecord>, session: string): boolean {
  return [...spans.values()].some((span) => factsOf(span).session === session);
}

function summary(traceId: string, spans: readonly SpanRecord[]): TraceSummary {
  const root = spans.find(({ parentSpanId }) => parentSpanId === undefined) ?? spans[0];
  return {
    traceId,
    name: root?.name ?? "",
    ...(root?.service === undefined ? {} : { service: root.service }),
    startAt: Math.min(...spans.map(({ startAt }) => startAt)),
    endAt: Math.max(...spans.map(({ endAt }) => endAt)),
    spans: spans.length,
    errors: spans.filter(({ status }) => status === "error").length,
  };
}
