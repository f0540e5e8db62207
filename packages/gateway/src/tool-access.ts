import type { CallContext, Json } from "./dialect.ts";
import { GatewayError } from "./errors.ts";
import { inSpan, SpanKind } from "./internal/tracing.ts";
import type { Limits } from "./limits/limits.ts";
import type { PermissionDecision, Permissions } from "./permissions.ts";
import type { Target } from "./target.ts";

export interface ToolAccessDeps {
  readonly permissions?: Permissions | undefined;
  readonly limits: Limits;
}

/** Everything that must be true before a tool runs, in one place: whichever way the call came in. */
export class ToolAccess {
  readonly #permissions: Permissions | undefined;
  readonly #limits: Limits;

  constructor({ permissions, limits }: ToolAccessDeps) {
    this.#permissions = permissions;
    this.#limits = limits;
  }

  async run<T>(context: CallContext, target: Target, tool: string, args: Json, call: () => Promise<T>): Promise<T> {
    const { tenant, user, agent, session } = context.principal;
    const attributes = {
      "gen_ai.operation.name": "execute_tool",
      "gen_ai.tool.name": tool,
      "ashlar.gateway.target": target.name,
    };
    return inSpan(`execute_tool ${tool}`, SpanKind.CLIENT, attributes, async () => {
      await this.#limits.take({ tenant, user, agent, session, target: target.name, tool });
      await this.#decide(context, target, tool, args);
      return call();
    });
  }

  async #decide(context: CallContext, target: Target, tool: string, args: Json): Promise<void> {
    if (this.#permissions === undefined) return;
    const resource = `${target.name}/${tool}`;
    let decision: PermissionDecision;
    try {
      decision = await this.#permissions.decide(context, { action: "tool.call", resource, arguments: args });
    } catch (error) {
      throw new GatewayError("GATEWAY_DENIED", `Whether ${resource} may be called could not be decided.`, {
        cause: error,
      });
    }
    const { effect, reason } = decision;
    if (effect === "allow") return;
    throw new GatewayError(
      effect === "ask" ? "GATEWAY_APPROVAL_NEEDED" : "GATEWAY_DENIED",
      `${resource} ${effect === "ask" ? "needs approval" : "is not permitted"}: ${reason}`,
    );
  }
}
