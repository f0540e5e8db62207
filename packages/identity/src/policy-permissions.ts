import type { AuditLog } from "./audit-log.ts";
import type { CallContext } from "./dialect.ts";
import { PolicyIndex } from "./internal/policy-index.ts";
import { decided } from "./internal/spans.ts";
import type { PermissionDecision, PermissionRequest, Permissions } from "./permissions.ts";
import type { Policy, PolicySource } from "./policy.ts";

export interface PolicyPermissionsDeps {
  readonly policies: PolicySource | readonly Policy[];
  /** Every decision becomes a row when given. */
  readonly audit?: AuditLog;
  /** `log_only` allows everything and says in reason and audit what it would have done. Default `enforce`. */
  readonly mode?: "enforce" | "log_only";
}

export interface PolicyExplanation extends PermissionDecision {
  /** Each policy that names the action; `miss` says why it does not count. */
  readonly considered: readonly { readonly policy: string; readonly effect: string; readonly miss?: string }[];
}

/** Built-in policies. Deny wins over ask, ask over allow, and nothing matching is a deny. */
export class PolicyPermissions implements Permissions {
  readonly #source: PolicySource;
  readonly #audit: AuditLog | undefined;
  readonly #mode: "enforce" | "log_only";
  readonly #indexes = new WeakMap<readonly Policy[], PolicyIndex>();

  constructor({ policies, audit, mode = "enforce" }: PolicyPermissionsDeps) {
    this.#source = "policies" in policies ? policies : { policies: async () => policies };
    this.#audit = audit;
    this.#mode = mode;
  }

  decide(context: CallContext, request: PermissionRequest): Promise<PermissionDecision> {
    return decided(context, request, () => this.#decide(context, request));
  }

  async #decide(context: CallContext, request: PermissionRequest): Promise<PermissionDecision> {
    const index = await this.#index(context);
    let strongest: Policy | undefined;
    for (const { policy, miss } of index.consider(context, request)) {
      if (miss === undefined && (strongest === undefined || rank[policy.effect] > rank[strongest.effect]))
        strongest = policy;
      if (strongest?.effect === "deny") break;
    }
    const decision = decisionOf(strongest, request);
    await this.#audit?.record(context, {
      action: "policy.decide",
      decision: decision.effect,
      reason: decision.reason,
      details: { action: request.action, resource: request.resource, mode: this.#mode },
    });
    if (this.#mode === "enforce" || decision.effect === "allow") return decision;
    return { ...decision, effect: "allow", reason: `log_only, would be ${decision.effect}: ${decision.reason}` };
  }

  /** The decision as it would be enforced, with every policy that was looked at. Nothing is recorded. */
  async explain(context: CallContext, request: PermissionRequest): Promise<PolicyExplanation> {
    const all = [...(await this.#index(context)).consider(context, request)];
    const matching = all.filter(({ miss }) => miss === undefined).map(({ policy }) => policy);
    const [strongest] = matching.sort((a, b) => rank[b.effect] - rank[a.effect]);
    const considered = all.map(({ policy: { id, effect }, miss }) => ({
      policy: id,
      effect,
      ...(miss === undefined ? {} : { miss }),
    }));
    return { ...decisionOf(strongest, request), considered };
  }

  async #index(context: CallContext): Promise<PolicyIndex> {
    const policies = await this.#source.policies(context);
    const known = this.#indexes.get(policies);
    if (known) return known;
    const index = new PolicyIndex(policies);
    this.#indexes.set(policies, index);
    return index;
  }
}

const rank = { allow: 1, ask: 2, deny: 3 } as const;

function decisionOf(strongest: Policy | undefined, { action, resource }: PermissionRequest): PermissionDecision {
  if (strongest === undefined) return { effect: "deny", reason: `no policy allows ${action} on ${resource}` };
  return { effect: strongest.effect, reason: `policy ${strongest.id}`, policy: strongest.id };
}
