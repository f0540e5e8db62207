import { createHash } from "node:crypto";
import { policySetTextToParts, policyToJson, preparsePolicySet } from "@cedar-policy/cedar-wasm/nodejs";
import { IdentityError } from "../errors.ts";

interface CedarPolicy {
  readonly id: string;
  readonly effect: "allow" | "deny" | "ask";
  readonly text: string;
  /** Names of actions in its head; `undefined` when it counts for all. */
  readonly actions: readonly string[] | undefined;
}

/** A text of policies, parsed once and filed by action. */
export class CedarPolicies {
  readonly #policies: readonly CedarPolicy[];
  readonly #asking: ReadonlySet<string>;
  readonly #byAction = new Map<string, string>();
  readonly #forOthers: string;
  readonly nameRoles: boolean;

  constructor(text: string) {
    const parts = policySetTextToParts(text);
    if (parts.type === "failure") throw invalid(parts.errors[0]?.message ?? "unknown");
    if (parts.policy_templates.length > 0) throw invalid("templates are not supported");
    this.#policies = parts.policies.map(read);
    const twice = this.#policies.find(({ id }, at) => this.#policies.slice(0, at).some((each) => each.id === id));
    if (twice !== undefined) throw invalid(`two have the id ${twice.id}`);
    this.#asking = new Set(this.#policies.filter(({ effect }) => effect === "ask").map(({ id }) => id));
    this.nameRoles = /\b(Role|roles)\b/.test(text);
    this.#forOthers = preparsed(this.#policies.filter(({ actions }) => actions === undefined));
    for (const action of new Set(this.#policies.flatMap(({ actions }) => actions ?? []))) {
      this.#byAction.set(action, preparsed(this.#named(action)));
    }
  }

  /** The name of the parsed set that counts for an action. */
  setFor(action: string): string {
    return this.#byAction.get(action) ?? this.#forOthers;
  }

  asks(id: string): boolean {
    return this.#asking.has(id);
  }

  /** Those that name the action or none; `alone` parses one by itself and returns its set's name. */
  filed(action: string): readonly (Pick<CedarPolicy, "id" | "effect"> & { readonly alone: () => string })[] {
    return this.#named(action).map((policy) => ({ ...policy, alone: () => preparsed([policy]) }));
  }

  #named(action: string): readonly CedarPolicy[] {
    return this.#policies.filter(({ actions }) => actions === undefined || actions.includes(action));
  }
}

function read(text: string, index: number): CedarPolicy {
  const answer = policyToJson(text);
  if (answer.type === "failure") throw invalid(`number ${index} is not readable`);
  const { action, annotations = {}, effect } = answer.json;
  const allows = annotations.effect === "ask" ? "ask" : "allow";
  return {
    id: annotations.id ?? `policy${index}`,
    effect: effect === "forbid" ? "deny" : allows,
    text,
    actions: actionsOf(action),
  };
}

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
function preparsed(policies: readonly CedarPolicy[]): string {
  const texts = Object.fromEntries(policies.map(({ id, text }) => [id, text]));
  const name = createHash("sha256").update(JSON.stringify(texts)).digest("hex");
  const answer = preparsePolicySet(name, { staticPolicies: texts });
  if (answer.type === "failure") throw invalid(answer.errors[0]?.message ?? "unknown");
  return name;
}

const invalid = (problem: string): IdentityError =>
  new IdentityError("IDENTITY_INVALID", `The Cedar policies do not parse: ${problem}.`);
