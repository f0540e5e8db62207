import { type HrTime, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { Json } from "../dialect.ts";
import type { SpanAttributes, SpanRecord, SpanRecordKind } from "../span-record.ts";

const kinds: Readonly<Record<SpanKind, SpanRecordKind>> = {
  [SpanKind.INTERNAL]: "internal",
  [SpanKind.SERVER]: "server",
  [SpanKind.CLIENT]: "client",
  [SpanKind.PRODUCER]: "producer",
  [SpanKind.CONSUMER]: "consumer",
};

const toMs = ([seconds, nanoseconds]: HrTime): number => seconds * 1000 + Math.floor(nanoseconds / 1000) / 1000;

export function toSpanRecord(span: ReadableSpan): SpanRecord {
  const { traceId, spanId } = span.spanContext();
  const service = span.resource.attributes["service.name"];
  const code = span.status.code;
  return {
    traceId,
    spanId,
    ...(span.parentSpanContext === undefined ? {} : { parentSpanId: span.parentSpanContext.spanId }),
    name: span.name,
    kind: kinds[span.kind],
    startAt: toMs(span.startTime),
    endAt: toMs(span.ended ? span.endTime : span.startTime),
    ...(span.ended ? {} : { open: true }),
    status: code === SpanStatusCode.ERROR ? "error" : code === SpanStatusCode.OK ? "ok" : "unset",
    ...(span.status.message === undefined ? {} : { statusMessage: span.status.message }),
    scope: span.instrumentationScope.name,
    ...(typeof service === "string" ? { service } : {}),
    attributes: plain(span.attributes),
    ...(span.events.length === 0
      ? {}
      : {
          events: span.events.map(({ name, time, attributes }) => ({
            name,
            at: toMs(time),
            attributes: plain(attributes ?? {}),
          })),
        }),
    ...(span.links.length === 0
      ? {}
      : { links: span.links.map(({ context }) => ({ traceId: context.traceId, spanId: context.spanId })) }),
  };
}

/** The API's attributes are JSON but for `undefined`, which JSON leaves out. */
const plain = (attributes: object): SpanAttributes =>
  Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined)) as Record<string, Json>;
