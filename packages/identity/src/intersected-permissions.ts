import type { CallContext } from "./dialect.ts";
import type {
  ExplainedPermissions,
  PermissionDecision,
  PermissionExplanation,
  PermissionRequest,
  Permissions,
} from "./permissions.ts";

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
    let strictest: PermissionDecision | undefined;
    for (const [name, permissions] of layersFor(context, this.#layers)) {
      const decision = await permissions.decide(context, request);
      const named = { ...decision, reason: `${name}: ${decision.reason}` };
      if (decision.effect === "deny") return named;
      if (strictest === undefined || (strictest.effect === "allow" && decision.effect === "ask")) strictest = named;
    }
    return strictest ?? { effect: "deny", reason: "no layer decided" };
  }

  /** The decision, with the explanation of each layer that gives one. */
  async explain(
    context: CallContext,
    request: PermissionRequest,
  ): Promise<PermissionDecision & { readonly layers: Readonly<Record<string, PermissionExplanation>> }> {
    const layers: Record<string, PermissionExplanation> = {};
    for (const [name, permissions] of layersFor(context, this.#layers)) {
      if (explains(permissions)) layers[name] = await permissions.explain(context, request);
    }
    return { ...(await this.decide(context, request)), layers };
  }
}

const explains = (permissions: Permissions): permissions is ExplainedPermissions => "explain" in permissions;

function layersFor({ principal }: CallContext, { agent, user, session }: IntersectedPermissionsDeps) {
  const asked: [string, Permissions][] = [["agent", agent]];
  if (user !== undefined && principal.user !== undefined) asked.push(["user", user]);
  if (session !== undefined && principal.session !== undefined) asked.push(["session", session]);
  return asked;
}
