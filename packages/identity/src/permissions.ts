import type { CallContext, Json } from "./dialect.ts";

export interface PermissionRequest {
  /** `tool.call`, `memory.write`, `credential.use`, … */
  readonly action: string;
  /** What it is done to: a tool's name, `agent/triage`, … */
  readonly resource: string;
  readonly arguments?: Json;
}

export interface PermissionDecision {
  readonly effect: "allow" | "deny" | "ask";
  readonly reason: string;
  /** Id of the policy that decided; absent for the default deny. */
  readonly policy?: string;
}

/** Who may do what. `ask` is a yes that a person has to say first. */
export interface Permissions {
  decide(context: CallContext, request: PermissionRequest): Promise<PermissionDecision>;
}
