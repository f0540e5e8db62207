import type { CallContext } from "./dialect.ts";
import type { PermissionDecision, PermissionRequest, Permissions } from "./permissions.ts";

export interface IntersectedPermissionsDeps {
  /** The most that the agent may ever do. */
  readonly agent: Permissions;
  /** What the human may do; asked when the principal names a user. */
  readonly user?: Permissions;
  /** What this session was granted; asked when the principal names a session. */
  readonly session?: Permissions;
}

/** An agent may do what its ceiling, its human and its session's grant all allow; the strictest answer counts. */
export class IntersectedPermissions implements Permissions {
  readonly #layers: IntersectedPermissionsDeps;

  constructor(layers: IntersectedPermissionsDeps) {
    this.#layers = layers;
  }

  async decide(context: CallContext, request: PermissionRequest): Promise<PermissionDecision> {
    const { agent, user, session } = this.#layers;
    const asked: readonly (readonly [string, Permissions | undefined])[] = [
      ["agent", agent],
      ["user", context.principal.user === undefined ? undefined : user],
      ["session", context.principal.session === undefined ? undefined : session],
    ];
    let strictest: PermissionDecision | undefined;
    for (const [name, permissions] of asked) {
      if (permissions === undefined) continue;
      const decision = await permissions.decide(context, request);
      const named = { ...decision, reason: `${name}: ${decision.reason}` };
      if (decision.effect === "deny") return named;
      if (strictest === undefined || (strictest.effect === "allow" && decision.effect === "ask")) strictest = named;
    }
    return strictest ?? { effect: "deny", reason: "no layer decided" };
  }
}
