import {
  type Attributes,
  context,
  createContextKey,
  INVALID_SPAN_CONTEXT,
  ProxyTracerProvider,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";

const SCOPE = "ashlar.gateway";
const provider = trace.getTracerProvider();
const tracer = provider.getTracer(SCOPE, undefined, {
  schemaUrl: "https://opentelemetry.io/schemas/gen-ai/0.1.0",
});
const NO_SPAN = trace.wrapSpanContext(INVALID_SPAN_CONTEXT);
const FROM_CALLER = createContextKey("ashlar.gateway: the caller traces");

/** Runs `body` in a span that ends with it; an error marks the span by its code, never by its text. */
export function inSpan<T>(
  name: string,
  kind: SpanKind,
  attributes: Attributes,
  body: (span: Span) => Promise<T>,
): Promise<T> {
  if (nobodyCollects()) return body(NO_SPAN);
  return tracer.startActiveSpan(name, { kind, attributes }, async (span) => {
    try {
      return await body(span);
    } catch (error) {
      const code = (error as { code?: unknown } | undefined)?.code;
      span.setAttribute("error.type", typeof code === "string" ? code : "_OTHER");
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Spans that go nowhere cost too, and a call has four of them. A collector may come later. */
const nobodyCollects = (): boolean =>
  provider instanceof ProxyTracerProvider && provider.getDelegateTracer(SCOPE) === undefined;

/** Runs `body` under the trace that the caller's headers name. */
export function withCallerTrace<T>(headers: Headers, body: () => T): T {
  if (!headers.has("traceparent")) return body();
  const parent = propagation.extract(context.active(), headers, {
    get: (carrier, key) => carrier.get(key) ?? undefined,
    keys: (carrier) => [...carrier.keys()],
  });
  return context.with(parent.setValue(FROM_CALLER, true), body);
}

/** Whether the caller sent a trace of its own, and so reports what it does itself. */
export const callerTraces = (): boolean => context.active().getValue(FROM_CALLER) === true;

/** Adds to the span under way. */
export const onSpan = (attributes: Attributes): void => {
  trace.getActiveSpan()?.setAttributes(attributes);
};

/** The W3C trace headers of the span under way; empty where no propagator is set up. */
export function traceHeaders(): Record<string, string> {
  const headers: Record<string, string> = {};
  propagation.inject(context.active(), headers);
  return headers;
}

export { SpanKind };
