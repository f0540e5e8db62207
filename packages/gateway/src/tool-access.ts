import type { Answer } from "./answer.ts";
import type { Approvals } from "./approvals.ts";
import { callerOf, facetsOf } from "./callers.ts";
import type { CallContext, Json } from "./dialect.ts";
import { GatewayError } from "./errors.ts";
import type { Leases } from "./internal/leases.ts";
import { inSpan, SpanKind } from "./internal/tracing.ts";
import type { Limits } from "./limits/limits.ts";
import type { PermissionDecision, Permissions } from "./permissions.ts";
import type { ScopeGuard } from "./scope-guard.ts";
import type { Target } from "./target.ts";
import type { TargetHealths } from "./target-health.ts";
import type { ToolCatalog } from "./tool-catalog.ts";
import type { ToolInterceptor } from "./tool-interceptor.ts";
import type { ToolResult } from "./tool-source.ts";

export interface ToolAccessDeps {
  readonly permissions?: Permissions | undefined;
  readonly approvals?: Approvals | undefined;
  readonly guard: ScopeGuard;
  readonly limits: Limits;
  readonly catalog: ToolCatalog;
  readonly leases: Leases<Target>;
  readonly healths: TargetHealths;
  readonly interceptors: readonly ToolInterceptor[];
  /** `undefined`: only where the gateway answers for itself. */
  readonly validateArguments?: boolean | undefined;
  readonly maxOutputBytes?: number | undefined;
}

/** Everything that must be true before a tool runs, and of what it answers: whichever way the call came in. */
export class ToolAccess {
  readonly #deps: ToolAccessDeps;

  constructor(deps: ToolAccessDeps) {
    this.#deps = deps;
  }

  async call(context: CallContext, target: Target, tool: string, args: Json): Promise<ToolResult> {
    const { interceptors, validateArguments = true } = this.#deps;
    return this.#spanned(context, target, tool, async () => {
      let given = args;
      for (const interceptor of interceptors) {
        const call = { target: target.name, tool, arguments: given };
        if (interceptor.request !== undefined) given = await interceptor.request(context, call);
      }
      await this.#admit(context, target, tool, given, validateArguments);
      let result = await this.#deps.healths.watch(target, () => target.call(context, tool, given));
      for (const interceptor of interceptors.toReversed()) {
        const call = { target: target.name, tool, arguments: given };
        if (interceptor.response !== undefined) result = await interceptor.response(context, call, result);
      }
      if (this.#deps.maxOutputBytes !== undefined) this.#cap(target, Buffer.byteLength(JSON.stringify(result)));
      return result;
    });
  }

  /** For a message that goes through as it is. */
  async forward(
    context: CallContext,
    target: Target,
    tool: string,
    args: Json,
    send: () => Promise<Answer>,
  ): Promise<Answer> {
    const { validateArguments = false, maxOutputBytes } = this.#deps;
    return this.#spanned(context, target, tool, async () => {
      await this.#admit(context, target, tool, args, validateArguments);
      const answer = await this.#deps.healths.watch(target, send);
      return maxOutputBytes === undefined || answer.body === null ? answer : this.#capped(target, answer);
    });
  }

  async #spanned<T>(context: CallContext, target: Target, tool: string, body: () => Promise<T>): Promise<T> {
    const { tenant } = context.principal;
    const attributes = { "ashlar.gateway.target": target.name, "gen_ai.tool.name": tool, "ashlar.tenant": tenant };
    return this.#deps.leases.hold(target, () =>
      inSpan("gateway.call", SpanKind.INTERNAL, attributes, () => this.#limited(context, target, tool, body)),
    );
  }

  async #limited<T>({ principal }: CallContext, target: Target, tool: string, body: () => Promise<T>): Promise<T> {
    const { limits } = this.#deps;
    const stage = callerOf(principal) === undefined ? "both" : "tool";
    if (limits.quiet(stage)) return body();
    const facets = { ...facetsOf(principal), target: target.name, tool };
    await limits.take(facets, stage);
    if (!limits.slotted) return body();
    const slot = await limits.occupy("concurrency", facets, stage);
    try {
      return await body();
    } finally {
      await slot.release().catch(() => {});
    }
  }

  async #admit(context: CallContext, target: Target, tool: string, args: Json, validate: boolean): Promise<void> {
    this.#deps.guard.require(context, "tool.call", `${target.name}/${tool}`);
    if (this.#deps.catalog.pins(target, tool)) await this.#deps.catalog.requirePinned(context, target, tool);
    if (this.#deps.permissions !== undefined) await this.#decide(this.#deps.permissions, context, target, tool, args);
    if (validate) await this.#deps.catalog.checkArguments(context, target, tool, args);
  }

  async #decide(
    permissions: Permissions,
    context: CallContext,
    target: Target,
    tool: string,
    args: Json,
  ): Promise<void> {
    const { approvals } = this.#deps;
    const resource = `${target.name}/${tool}`;
    let decision: PermissionDecision;
    try {
      decision = await permissions.decide(context, { action: "tool.call", resource, arguments: args });
    } catch (error) {
      throw new GatewayError("GATEWAY_DENIED", `Whether ${resource} may be called could not be decided.`, {
        cause: error,
      });
    }
    const { effect, reason } = decision;
    if (effect === "allow") return;
    if (effect === "ask" && approvals !== undefined) return approvals.require(context, resource, args, reason);
    throw new GatewayError(
      effect === "ask" ? "GATEWAY_APPROVAL_NEEDED" : "GATEWAY_DENIED",
      `${resource} ${effect === "ask" ? "needs approval" : "is not permitted"}: ${reason}`,
    );
  }

  /** A stream over the cap breaks off; anything else is not given at all. */
  #capped(target: Target, answer: Answer): Answer {
    const { body } = answer;
    if (!(body instanceof ReadableStream)) {
      this.#cap(target, Buffer.byteLength(body ?? ""));
      return answer;
    }
    let total = 0;
    const counted = body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, controller) => {
          total += chunk.byteLength;
          this.#cap(target, total);
          controller.enqueue(chunk);
        },
      }),
    );
    return { ...answer, body: counted };
  }

  #cap(target: Target, bytes: number): void {
    const { maxOutputBytes = Number.POSITIVE_INFINITY } = this.#deps;
    if (bytes <= maxOutputBytes) return;
    throw new GatewayError(
      "GATEWAY_OUTPUT_TOO_LARGE",
      `Target ${target.name} answered with more than ${maxOutputBytes} bytes: ask for less.`,
    );
  }
}
