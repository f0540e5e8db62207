import { factsOf } from "../internal/span-facts.ts";
import type { SpanRecord, SpanRecordKind, SpanRecordStatus } from "../span-record.ts";

export interface SpanRow {
  readonly trace_id: string;
  readonly span_id: string;
  readonly parent_span_id: string | null;
  readonly name: string;
  readonly kind: SpanRecordKind;
  readonly start_at: number;
  readonly end_at: number;
  readonly status: SpanRecordStatus;
  readonly status_message: string | null;
  readonly scope: string;
  readonly service: string | null;
  readonly attributes: string;
  readonly events: string | null;
  readonly links: string | null;
}

export const INSERT_SPAN: string = `INSERT OR IGNORE INTO ashlar_spans VALUES (${Array(23).fill("?").join(", ")})`;

/** In the order of the table's columns. */
export function toParameters(tenant: string, span: SpanRecord): readonly unknown[] {
  const facts = factsOf(span);
  return [
    tenant,
    span.traceId,
    span.spanId,
    span.parentSpanId ?? null,
    span.name,
    span.kind,
    span.startAt,
    span.endAt,
    span.status,
    span.statusMessage ?? null,
    span.scope,
    span.service ?? null,
    facts.session ?? null,
    facts.agent ?? null,
    facts.operation ?? null,
    facts.model ?? null,
    facts.tool ?? null,
    facts.inputTokens,
    facts.outputTokens,
    facts.cachedTokens,
    JSON.stringify(span.attributes),
    span.events === undefined ? null : JSON.stringify(span.events),
    span.links === undefined ? null : JSON.stringify(span.links),
  ];
}

export function toSpan(row: SpanRow): SpanRecord {
  return {
    traceId: row.trace_id,
    spanId: row.span_id,
    ...(row.parent_span_id === null ? {} : { parentSpanId: row.parent_span_id }),
    name: row.name,
    kind: row.kind,
    startAt: row.start_at,
    endAt: row.end_at,
    status: row.status,
    ...(row.status_message === null ? {} : { statusMessage: row.status_message }),
    scope: row.scope,
    ...(row.service === null ? {} : { service: row.service }),
    attributes: JSON.parse(row.attributes) as SpanRecord["attributes"],
    ...(row.events === null ? {} : { events: JSON.parse(row.events) as NonNullable<SpanRecord["events"]> }),
    ...(row.links === null ? {} : { links: JSON.parse(row.links) as NonNullable<SpanRecord["links"]> }),
  };
}
