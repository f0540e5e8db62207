import { type Span, SpanStatusCode, trace } from "@opentelemetry/api";
import type { CallContext } from "../dialect.ts";
import { IdentityError } from "../errors.ts";
import type { PermissionDecision, PermissionRequest } from "../permissions.ts";

const tracer = trace.getTracer("ashlar.identity");

/** Runs `body` in a span that ends with it; an error marks the span by its code, never by its text. */
export function inSpan<T>(name: string, body: (span: Span) => Promise<T>): Promise<T> {
  return tracer.startActiveSpan(name, async (span) => {
    try {
      return await body(span);
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      span.setAttribute("error.type", IdentityError.is(error) ? error.code : "_OTHER");
      throw error;
    } finally {
      span.end();
    }
  });
}

/** A decision on the trace: what was asked and what came of it, never the arguments. */
export function decided(
  { principal }: CallContext,
  { action, resource }: PermissionRequest,
  body: () => Promise<PermissionDecision>,
): Promise<PermissionDecision> {
  return inSpan("identity.decide", async (span) => {
    span.setAttributes({
      "ashlar.tenant": principal.tenant,
      "ashlar.policy.action": action,
      "ashlar.policy.resource": resource,
    });
    const decision = await body();
    span.setAttribute("ashlar.policy.effect", decision.effect);
    if (decision.policy !== undefined) span.setAttribute("ashlar.policy.id", decision.policy);
    return decision;
  });
}
