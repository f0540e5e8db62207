import type { AuditLog } from "./audit-log.ts";
import type { CallContext } from "./dialect.ts";
import type { PermissionDecision, PermissionRequest, Permissions } from "./permissions.ts";

export interface AuditedPermissionsDeps {
  readonly permissions: Permissions;
  readonly audit: AuditLog;
  /** `log_only` allows everything, and says in reason and audit what it would have done. Default `enforce`. */
  readonly mode?: "enforce" | "log_only";
}

/** Puts every decision on record before it is given, and lets a team try policies out before they count. */
export class AuditedPermissions implements Permissions {
  readonly #permissions: Permissions;
  readonly #audit: AuditLog;
  readonly #mode: "enforce" | "log_only";

  constructor({ permissions, audit, mode = "enforce" }: AuditedPermissionsDeps) {
    this.#permissions = permissions;
    this.#audit = audit;
    this.#mode = mode;
  }

  async decide(context: CallContext, request: PermissionRequest): Promise<PermissionDecision> {
    const decision = await this.#permissions.decide(context, request);
    const { effect, reason } = decision;
    const details = { action: request.action, resource: request.resource, mode: this.#mode };
    await this.#audit.record(context, { action: "policy.decide", decision: effect, reason, details });
    if (this.#mode === "enforce" || effect === "allow") return decision;
    return { ...decision, effect: "allow", reason: `log_only, would be ${effect}: ${reason}` };
  }
}
