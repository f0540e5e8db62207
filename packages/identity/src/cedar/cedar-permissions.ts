import { createHash } from "node:crypto";
import {
  type CedarValueJson,
  policySetTextToParts,
  policyToJson,
  preparsePolicySet,
  statefulIsAuthorized,
} from "@cedar-policy/cedar-wasm/nodejs";
import type { CallContext } from "../dialect.ts";
import { IdentityError } from "../errors.ts";
import { decided } from "../internal/spans.ts";
import type { PermissionDecision, PermissionRequest, Permissions } from "../permissions.ts";

export interface CedarPermissionsDeps {
  /**
   * Cedar policies. The principal is `User::"…"` or else `Agent::"…"`, the action `Action::"tool.call"`, the resource
   * `Resource::"…"`; `context` holds `tenant`, `arguments`, and `agent`, `session`, `user` where they are known.
   * Give a policy its name with `@id("…")`. A permit annotated `@effect("ask")` asks a person first.
   */
  readonly policies: string;
}

/**
 * Cedar's own engine. Policies are parsed once and filed by the action in their head: a decision evaluates only those
 * that name the request's action, and those that name none. Default deny; an error in a policy is a deny.
 */
export class CedarPermissions implements Permissions {
  readonly #byAction = new Map<string, string>();
  readonly #asks = new Set<string>();
  readonly #forWild: string;

  constructor({ policies }: CedarPermissionsDeps) {
    const parts = policySetTextToParts(policies);
    if (parts.type === "failure" || parts.policy_templates.length > 0) {
      const problem = parts.type === "failure" ? parts.errors[0]?.message : "templates are not supported";
      throw new IdentityError("IDENTITY_INVALID", `The Cedar policies do not parse: ${problem ?? "unknown"}.`);
    }
    const wild: Record<string, string> = {};
    const exact = new Map<string, Record<string, string>>();
    for (const [index, text] of parts.policies.entries()) {
      const answer = policyToJson(text);
      if (answer.type === "failure")
        throw new IdentityError("IDENTITY_INVALID", `Cedar policy ${index} does not parse.`);
      const { action, annotations = {} } = answer.json;
      const id = annotations.id ?? `policy${index}`;
      if (annotations.effect === "ask") this.#asks.add(id);
      const names = actionsOf(action);
      for (const name of names ?? []) exact.set(name, { ...exact.get(name), [id]: text });
      if (names === undefined) wild[id] = text;
    }
    this.#forWild = preparsed(wild);
    for (const [action, texts] of exact) this.#byAction.set(action, preparsed({ ...wild, ...texts }));
  }

  decide(context: CallContext, request: PermissionRequest): Promise<PermissionDecision> {
    return decided(context, request, async () => this.#decide(context, request));
  }

  #decide({ principal }: CallContext, request: PermissionRequest): PermissionDecision {
    const { tenant, agent, session, user } = principal;
    const filed = this.#byAction.get(request.action) ?? this.#forWild;
    const answer = statefulIsAuthorized({
      principal: user === undefined ? { type: "Agent", id: agent ?? "" } : { type: "User", id: user },
      action: { type: "Action", id: request.action },
      resource: { type: "Resource", id: request.resource },
      context: {
        tenant,
        ...(agent === undefined ? {} : { agent }),
        ...(session === undefined ? {} : { session }),
        ...(user === undefined ? {} : { user }),
        arguments: (request.arguments ?? {}) as CedarValueJson,
      },
      preparsedPolicySetId: filed,
      entities: [],
    });
    if (answer.type === "failure") return { effect: "deny", reason: "the request cannot be put to Cedar" };
    const { decision, diagnostics } = answer.response;
    const [policy] = diagnostics.reason;
    const named = policy === undefined ? {} : { policy };
    if (decision === "deny") {
      const nothing = `no policy allows ${request.action} on ${request.resource}`;
      return { effect: "deny", reason: policy === undefined ? nothing : `policy ${policy}`, ...named };
    }
    if (diagnostics.errors.length > 0) return { effect: "deny", reason: "a policy failed to evaluate" };
    const asks = diagnostics.reason.every((id) => this.#asks.has(id));
    return { effect: asks ? "ask" : "allow", reason: `policy ${policy}`, ...named };
  }
}

/** `undefined` when the head names no action, and the policy counts for all. */
function actionsOf(action: { readonly op: string; readonly entity?: unknown; readonly entities?: unknown }) {
  if (action.op === "==") return [idOf(action.entity)];
  if (action.op === "in" && Array.isArray(action.entities)) return action.entities.map(idOf);
  return undefined;
}

function idOf(entity: unknown): string {
  const { __entity: inner, id } = entity as { readonly __entity?: { readonly id: string }; readonly id?: string };
  return inner?.id ?? id ?? "";
}

/** Cedar keeps parsed sets by name: the name is their content, so that equal sets are kept once. */
function preparsed(texts: Readonly<Record<string, string>>): string {
  const name = createHash("sha256").update(JSON.stringify(texts)).digest("hex");
  const answer = preparsePolicySet(name, { staticPolicies: { ...texts } });
  if (answer.type === "failure") {
    throw new IdentityError("IDENTITY_INVALID", `The Cedar policies do not parse: ${answer.errors[0]?.message ?? ""}.`);
  }
  return name;
}
