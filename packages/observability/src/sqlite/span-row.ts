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
  readonly open: 0 | 1;
}

const COLUMNS = 24;
export const INSERT_SPAN: string = `INSERT OR IGNORE INTO ashlar_spans VALUES (${Array(COLUMNS).fill("?").join(", ")})`;

/** Of an open span that is about to be put in again as it ended. */
export const DROP_OPEN: string =
  "DELETE FROM ashlar_spans WHERE tenant = ? AND trace_id = ? AND span_id = ? AND open = 1";

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
    span.open === true ? 1 : 0,
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
    ...(row.open === 1 ? { open: true as const } : {}),
    status: row.status,
    ...(row.status_message === null ? {} : { statusMessage: row.status_message }),
    scope: row.scope,
    ...(row.service === null ? {} : { service: row.service }),
    attributes: JSON.parse(row.attributes) as SpanRecord["attributes"],
    ...(row.events === null ? {} : { events: JSON.parse(row.events) as NonNullable<SpanRecord["events"]> }),
    ...(row.links === null ? {} : { links: JSON.parse(row.links) as NonNullable<SpanRecord["links"]> }),
  };
}
