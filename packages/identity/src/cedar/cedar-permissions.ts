import {
  type CedarValueJson,
  type StatefulAuthorizationCall,
  statefulIsAuthorized,
} from "@cedar-policy/cedar-wasm/nodejs";
import type { CallContext } from "../dialect.ts";
import { decided } from "../internal/spans.ts";
import type {
  ExplainedPermissions,
  PermissionDecision,
  PermissionExplanation,
  PermissionRequest,
  RoleSource,
} from "../permissions.ts";
import { CedarPolicies } from "./cedar-policies.ts";

export interface CedarPermissionsDeps {
  /**
   * Cedar policies. The principal is `User::"…"` or else `Agent::"…"`, in `Role::"…"` for each of its roles, the action
   * `Action::"tool.call"`, the resource `Resource::"…"`; `context` holds `tenant`, `roles`, `arguments`, and `agent`,
   * `session`, `user` where they are known. Give a policy its name with `@id("…")`. A permit annotated
   * `@effect("ask")` asks a person first.
   */
  readonly policies: string;
  readonly roles?: RoleSource;
}

/**
 * Cedar's own engine. Policies are parsed once and filed by the action in their head: a decision evaluates only those
 * that name the request's action, and those that name none. Forbid wins over ask, ask over permit, and nothing
 * matching is a deny; so is an error in a policy.
 */
export class CedarPermissions implements ExplainedPermissions {
  readonly #policies: CedarPolicies;
  readonly #roles: RoleSource | undefined;

  constructor({ policies, roles }: CedarPermissionsDeps) {
    this.#policies = new CedarPolicies(policies);
    this.#roles = roles;
  }

  decide(context: CallContext, request: PermissionRequest): Promise<PermissionDecision> {
    return decided(context, request, async () => this.#decide(await this.#call(context, request), request));
  }

  async explain(context: CallContext, request: PermissionRequest): Promise<PermissionExplanation> {
    const call = await this.#call(context, request);
    const considered = this.#policies.filed(request.action).map(({ id, effect, alone }) => {
      const answer = statefulIsAuthorized({ ...call, preparsedPolicySetId: alone() });
      const { reason, errors } = answer.type === "failure" ? { reason: [], errors: [] } : answer.response.diagnostics;
      if (reason.includes(id)) return { policy: id, effect };
      return { policy: id, effect, miss: errors.length > 0 ? "it fails to evaluate" : "its head or conditions" };
    });
    return { ...this.#decide(call, request), considered };
  }

  #decide(call: Omit<StatefulAuthorizationCall, "preparsedPolicySetId">, request: PermissionRequest) {
    const { action, resource } = request;
    const answer = statefulIsAuthorized({ ...call, preparsedPolicySetId: this.#policies.setFor(action) });
    if (answer.type === "failure") return denied("the request cannot be put to Cedar");
    const { decision, diagnostics } = answer.response;
    if (diagnostics.errors.length > 0) return denied("a policy failed to evaluate");
    const asking = diagnostics.reason.find((id) => this.#policies.asks(id));
    const policy = asking ?? diagnostics.reason[0];
    if (policy === undefined) return denied(`no policy allows ${action} on ${resource}`);
    const effect = decision === "deny" ? "deny" : asking === undefined ? "allow" : "ask";
    return { effect, reason: `policy ${policy}`, policy } as const;
  }

  async #call({ principal, ...context }: CallContext, request: PermissionRequest) {
    const { tenant, agent, session, user } = principal;
    const roles = this.#policies.nameRoles ? ((await this.#roles?.roles({ ...context, principal })) ?? []) : [];
    const who = user === undefined ? { type: "Agent", id: agent ?? "" } : { type: "User", id: user };
    const parents = roles.map((id) => ({ type: "Role", id }));
    return {
      principal: who,
      action: { type: "Action", id: request.action },
      resource: { type: "Resource", id: request.resource },
      context: {
        tenant,
        roles: [...roles],
        ...(agent === undefined ? {} : { agent }),
        ...(session === undefined ? {} : { session }),
        ...(user === undefined ? {} : { user }),
        arguments: (request.arguments ?? {}) as CedarValueJson,
      },
      entities: roles.length === 0 ? [] : [{ uid: who, attrs: {}, parents }],
    };
  }
}

const denied = (reason: string) => ({ effect: "deny", reason }) as const;
