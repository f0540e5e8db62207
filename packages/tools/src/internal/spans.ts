import { type Attributes, type Span, SpanStatusCode, trace } from "@opentelemetry/api";

const tracer = trace.getTracer("ashlar.tools");

/** Runs `body` in a span that ends with it; an error marks the span by its code, never by its text. */
export async function inSpan<T>(name: string, attributes: Attributes, body: (span: Span) => Promise<T>): Promise<T> {
  return tracer.startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await body(span);
    } catch (error) {
      const code = (error as { readonly code?: unknown } | undefined)?.code;
      span.setAttribute("error.type", typeof code === "string" ? code : "_OTHER");
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  });
}
