import { type Attributes, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { MemoryError } from "../errors.ts";
import type { Scope } from "../memory-store.ts";

const tracer = trace.getTracerProvider().getTracer("ashlar.memory", undefined, {
  schemaUrl: "https://opentelemetry.io/schemas/gen-ai/0.1.0",
});

/** The conventions' names for what is done to records. */
export type RecordsOperation = "search_memory" | "create_memory" | "update_memory" | "upsert_memory" | "delete_memory";

/** Runs `body` in a span that says which memory, never a text; an error marks it by its code. */
export function inSpan<T>(
  name: string,
  { tenant, memory }: Scope,
  attributes: Attributes,
  body: (span: Span) => Promise<T>,
): Promise<T> {
  const all = { ...attributes, "gen_ai.memory.store.id": memory, "ashlar.tenant": tenant };
  return tracer.startActiveSpan(name, { attributes: all, kind: SpanKind.CLIENT }, async (span) => {
    try {
      return await body(span);
    } catch (error) {
      span.setAttribute("error.type", MemoryError.is(error) ? error.code : "_OTHER");
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  });
}

export function onRecords<T>(
  operation: RecordsOperation,
  scope: Scope,
  records: { readonly count?: number; readonly id?: string },
  body: (span: Span) => Promise<T>,
): Promise<T> {
  const attributes: Attributes = { "gen_ai.operation.name": operation };
  if (records.count !== undefined) attributes[COUNT] = records.count;
  if (records.id !== undefined) attributes["gen_ai.memory.record.id"] = records.id;
  return inSpan(operation, scope, attributes, body);
}

export const COUNT = "gen_ai.memory.record.count";
