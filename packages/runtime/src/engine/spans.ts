import { type Attributes, context, propagation, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";

const tracer = trace.getTracerProvider().getTracer("ashlar.runtime", undefined, {
  schemaUrl: "https://opentelemetry.io/schemas/gen-ai/0.1.0",
});

/** Runs `body` in a span that ends with it; an error marks the span by its code, never by its text. */
export async function inSpan<T>(
  name: string,
  attributes: Attributes,
  body: (span: Span) => Promise<T>,
  { parent, kind = SpanKind.INTERNAL }: { readonly parent?: string | undefined; readonly kind?: SpanKind } = {},
): Promise<T> {
  const carrier = parent === undefined ? {} : { traceparent: parent };
  const around = parent === undefined ? context.active() : propagation.extract(context.active(), carrier);
  return tracer.startActiveSpan(name, { attributes, kind }, around, async (span) => {
    try {
      return await body(span);
    } catch (error) {
      const code = (error as { code?: unknown } | undefined)?.code;
      if (!(error instanceof Error && error.name === "Suspension")) {
        span.setAttribute("error.type", typeof code === "string" ? code : "_OTHER");
        span.setStatus({ code: SpanStatusCode.ERROR });
      }
      throw error;
    } finally {
      span.end();
    }
  });
}

/** The span under way as W3C `traceparent`; `undefined` where nothing is traced. */
export function traceparent(): string | undefined {
  const carrier: { traceparent?: string } = {};
  propagation.inject(context.active(), carrier);
  return carrier.traceparent;
}

export { SpanKind };
