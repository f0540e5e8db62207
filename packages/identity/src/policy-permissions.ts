import type { CallContext } from "./dialect.ts";
import { PolicyIndex } from "./internal/policy-index.ts";
import { decided } from "./internal/spans.ts";
import type {
  ExplainedPermissions,
  PermissionDecision,
  PermissionExplanation,
  PermissionRequest,
  RoleSource,
} from "./permissions.ts";
import type { Policy, PolicySource } from "./policy.ts";

export interface PolicyPermissionsDeps {
  readonly policies: PolicySource | readonly Policy[];
  /** Needed by policies that name roles; without it nobody has one. */
  readonly roles?: RoleSource;
}

/** Built-in policies. Deny wins over ask, ask over allow, and nothing matching is a deny. */
export class PolicyPermissions implements ExplainedPermissions {
  readonly #source: PolicySource;
  readonly #roles: RoleSource | undefined;
  readonly #indexes = new WeakMap<readonly Policy[], PolicyIndex>();

  constructor({ policies, roles }: PolicyPermissionsDeps) {
    this.#source = "policies" in policies ? policies : { policies: async () => policies };
    this.#roles = roles;
  }

  decide(context: CallContext, request: PermissionRequest): Promise<PermissionDecision> {
    return decided(context, request, async () => {
      let strictest: Policy | undefined;
      for (const { policy, miss } of await this.#consider(context, request)) {
        if (miss === undefined && rank[policy.effect] > rank[strictest?.effect ?? "none"]) strictest = policy;
        if (strictest?.effect === "deny") break;
      }
      return decisionOf(strictest, request);
    });
  }

  async explain(context: CallContext, request: PermissionRequest): Promise<PermissionExplanation> {
    const all = [...(await this.#consider(context, request))];
    const matching = all.filter(({ miss }) => miss === undefined).map(({ policy }) => policy);
    const [strictest] = matching.sort((a, b) => rank[b.effect] - rank[a.effect]);
    const considered = all.map(({ policy: { id, effect }, miss }) => ({
      policy: id,
      effect,
      ...(miss === undefined ? {} : { miss }),
    }));
    return { ...decisionOf(strictest, request), considered };
  }

  async #consider(context: CallContext, request: PermissionRequest): Promise<ReturnType<PolicyIndex["consider"]>> {
    const policies = await this.#source.policies(context);
    let index = this.#indexes.get(policies);
    if (index === undefined) {
      index = new PolicyIndex(policies);
      this.#indexes.set(policies, index);
    }
    const roles = index.namesRoles ? await this.#roles?.roles(context) : undefined;
    return index.consider(context.principal, roles ?? [], request);
  }
}

const rank = { none: 0, allow: 1, ask: 2, deny: 3 } as const;

function decisionOf(strictest: Policy | undefined, { action, resource }: PermissionRequest): PermissionDecision {
  if (strictest === undefined) return { effect: "deny", reason: `no policy allows ${action} on ${resource}` };
  return { effect: strictest.effect, reason: `policy ${strictest.id}`, policy: strictest.id };
}
