import { z } from "zod";
import type { Json, Principal } from "../dialect.ts";
import type { PermissionRequest } from "../permissions.ts";
import type { Policy, PolicyCondition } from "../policy.ts";
import { parse } from "./parse.ts";

const texts = z.array(z.string().min(1).max(512)).min(1).max(256);
const path = z.string().regex(/^(\/.*)?$/, "not a JSON Pointer");
const schema = z.array(
  z.strictObject({
    id: z.string().min(1).max(256),
    effect: z.enum(["allow", "deny", "ask"]),
    principal: z
      .strictObject({ agents: texts.optional(), users: texts.optional(), roles: texts.optional() })
      .optional(),
    actions: texts,
    resources: texts,
    when: z
      .array(
        z.union([
          z.strictObject({ path, equals: z.json() }),
          z.strictObject({ path, in: z.array(z.json()) }),
          z.strictObject({ path, atMost: z.number() }),
          z.strictObject({ path, atLeast: z.number() }),
          z.strictObject({ path, startsWith: z.string() }),
          z.strictObject({ path, absent: z.literal(true) }),
        ]),
      )
      .optional(),
  }),
) as unknown as z.ZodType<readonly Policy[]>;

type Matcher = (text: string) => boolean;

interface Compiled {
  readonly policy: Policy;
  readonly action: Matcher;
  readonly resource: Matcher;
  readonly agent: Matcher | undefined;
  readonly user: Matcher | undefined;
  readonly role: Matcher | undefined;
}

/** Policies parsed once and filed by action: a decision looks only at those that name the request's action. */
export class PolicyIndex {
  readonly #byAction = new Map<string, Compiled[]>();
  readonly #wild: Compiled[] = [];
  readonly namesRoles: boolean;

  constructor(policies: readonly Policy[]) {
    this.namesRoles = policies.some(({ principal }) => principal?.roles !== undefined);
    for (const policy of parse(schema, policies, "The policies")) {
      const compiled: Compiled = {
        policy,
        action: anyOf(policy.actions),
        resource: anyOf(policy.resources),
        agent: policy.principal?.agents && anyOf(policy.principal.agents),
        user: policy.principal?.users && anyOf(policy.principal.users),
        role: policy.principal?.roles && anyOf(policy.principal.roles),
      };
      if (policy.actions.some((action) => action.includes("*"))) {
        this.#wild.push(compiled);
        continue;
      }
      for (const action of new Set(policy.actions)) {
        const filed = this.#byAction.get(action);
        if (filed) filed.push(compiled);
        else this.#byAction.set(action, [compiled]);
      }
    }
  }

  /** For each policy that names the action: why it does not match, or no `miss` when it does. */
  *consider(
    principal: Principal,
    roles: readonly string[],
    request: PermissionRequest,
  ): Generator<{ readonly policy: Policy; readonly miss?: string }> {
    for (const compiled of [...(this.#byAction.get(request.action) ?? []), ...this.#wild]) {
      const miss = missOf(compiled, principal, roles, request);
      yield { policy: compiled.policy, ...(miss === undefined ? {} : { miss }) };
    }
  }
}

function missOf(
  { policy, action, resource, agent, user, role }: Compiled,
  principal: Principal,
  roles: readonly string[],
  request: PermissionRequest,
): string | undefined {
  if (!action(request.action)) return "another action";
  if (!resource(request.resource)) return "another resource";
  if (!fits(agent, principal.agent)) return "another agent";
  if (!fits(user, principal.user)) return "another user";
  if (role !== undefined && !roles.some(role)) return "another role";
  const failing = policy.when?.find((condition) => !holds(condition, request.arguments));
  return failing && `the condition on ${failing.path || "the arguments"}`;
}

function anyOf(patterns: readonly string[]): Matcher {
  const exact = new Set(patterns.filter((pattern) => !pattern.includes("*")));
  const wild = patterns.filter((pattern) => pattern.includes("*")).map((pattern) => pattern.split(/\*+/));
  return (text) => exact.has(text) || wild.some((pieces) => glob(pieces, text));
}

/** Linear in the text: no regular expression, so that no pattern can make it backtrack. */
function glob(pieces: readonly string[], text: string): boolean {
  const [first = "", ...rest] = pieces;
  const last = rest.pop() ?? "";
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  let at = first.length;
  for (const piece of rest) {
    const found = text.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return at <= text.length - last.length;
}

const fits = (matcher: Matcher | undefined, name: string | undefined): boolean =>
  matcher === undefined || (name !== undefined && matcher(name));

function holds(condition: PolicyCondition, root: Json | undefined): boolean {
  const value = pointer(root, condition.path);
  if ("absent" in condition) return value === undefined;
  if (value === undefined) return false;
  if ("equals" in condition) return equal(value, condition.equals);
  if ("in" in condition) return condition.in.some((each) => equal(value, each));
  if ("atMost" in condition) return typeof value === "number" && value <= condition.atMost;
  if ("atLeast" in condition) return typeof value === "number" && value >= condition.atLeast;
  return typeof value === "string" && value.startsWith(condition.startsWith);
}

function pointer(root: Json | undefined, path: string): Json | undefined {
  let value = root;
  for (const part of path.split("/").slice(1)) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Readonly<Record<string, Json>>)[key];
  }
  return value;
}

function equal(left: Json, right: Json): boolean {
  if (left === right) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
  const keys = Object.keys(left);
  if (Array.isArray(left) !== Array.isArray(right) || keys.length !== Object.keys(right).length) return false;
  return keys.every((key) => {
    const [a, b] = [left, right] as readonly Readonly<Record<string, Json>>[];
    return Object.hasOwn(right, key) && equal(a?.[key] as Json, b?.[key] as Json);
  });
}
