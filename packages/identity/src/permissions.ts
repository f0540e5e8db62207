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

export interface PermissionExplanation extends PermissionDecision {
  /** Each policy that names the action; `miss` says why it does not count. */
  readonly considered: readonly { readonly policy: string; readonly effect: string; readonly miss?: string }[];
}

/** Permissions that give their reasons. An explanation decides nothing and leaves no record. */
export interface ExplainedPermissions extends Permissions {
  explain(context: CallContext, request: PermissionRequest): Promise<PermissionExplanation>;
}

/** The roles of whom a call is made for; the directory that knows them is the app's. */
export interface RoleSource {
  roles(context: CallContext): Promise<readonly string[]>;
}
