import type { CallContext, Json } from "./dialect.ts";

export interface PermissionRequest {
  /** `tool.call`, `tool.list`, `agent.invoke` or `agent.list`. */
  readonly action: string;
  /** `<target>/<tool>` for a tool, its name for an agent. */
  readonly resource: string;
  readonly arguments?: Json;
}

export interface PermissionDecision {
  readonly effect: "allow" | "deny" | "ask";
  readonly reason: string;
  readonly policy?: string;
}

/** Asked before every tool call and every agent operation. A throw is a refusal. */
export interface Permissions {
  decide(context: CallContext, request: PermissionRequest): Promise<PermissionDecision>;
}
