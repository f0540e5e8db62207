import type { Json } from "./dialect.ts";

export type SpanRecordKind = "internal" | "server" | "client" | "producer" | "consumer";
export type SpanRecordStatus = "unset" | "ok" | "error";
export type SpanAttributes = Readonly<Record<string, Json>>;

/** One span as plain data: what a `TraceStore` keeps and the printers and the console read. */
export interface SpanRecord {
  /** 32 lower-case hexadecimal digits (W3C trace context). */
  readonly traceId: string;
  /** 16 lower-case hexadecimal digits. */
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: SpanRecordKind;
  /** Epoch milliseconds; the fraction carries microseconds. */
  readonly startAt: number;
  readonly endAt: number;
  /** It has not ended, as far as is known: it runs, or its process died. `endAt` is then its start. */
  readonly open?: true;
  readonly status: SpanRecordStatus;
  readonly statusMessage?: string;
  /** Name of the instrumentation scope, `ashlar.runtime` for example. */
  readonly scope: string;
  /** `service.name` of the process that made it. */
  readonly service?: string;
  readonly attributes: SpanAttributes;
  readonly events?: readonly SpanRecordEvent[];
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
}

export interface SpanRecordEvent {
  readonly name: string;
  readonly at: number;
  readonly attributes: SpanAttributes;
}
