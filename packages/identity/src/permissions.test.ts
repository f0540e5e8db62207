import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AuditLog } from "./audit-log.ts";
import { AuditedPermissions } from "./audited-permissions.ts";
import { CedarPermissions } from "./cedar/index.ts";
import type { CallContext } from "./dialect.ts";
import { InMemoryAuditStore, InMemoryIdentityStore } from "./in-memory/index.ts";
import { IntersectedPermissions } from "./intersected-permissions.ts";
import { Keyring } from "./keyring.ts";
import type { PermissionRequest, RoleSource } from "./permissions.ts";
import type { Policy } from "./policy.ts";
import { PolicyPermissions } from "./policy-permissions.ts";
import { ephemeralWrapper } from "./testing/ephemeral-wrapper.ts";

const context = { principal: { tenant: "acme", agent: "triage", session: "ses_1", user: "alice" } };
const refund = (amount: unknown) => ({ action: "tool.call", resource: "refund", arguments: { amount } as never });
const policies: readonly Policy[] = [
  { id: "read", effect: "allow", actions: ["tool.call"], resources: ["tickets_*"] },
  {
    id: "small",
    effect: "allow",
    principal: { agents: ["triage"] },
    actions: ["tool.call"],
    resources: ["refund"],
    when: [{ path: "/amount", atMost: 50 }],
  },
  {
    id: "large",
    effect: "ask",
    actions: ["tool.call"],
    resources: ["refund"],
    when: [{ path: "/amount", atLeast: 51 }],
  },
  { id: "never", effect: "deny", actions: ["*"], resources: ["*_admin"] },
  {
    id: "leads",
    effect: "allow",
    principal: { roles: ["team/*"] },
    actions: ["memory.write"],
    resources: ["notes"],
  },
  { id: "careful", effect: "ask", actions: ["memory.write"], resources: ["shared"] },
  { id: "free", effect: "allow", actions: ["memory.write"], resources: ["shared"] },
];
const cedar = `
  @id("read") permit(principal, action == Action::"tool.call", resource) when { resource == Resource::"tickets_list" };
  @id("small") permit(principal, action == Action::"tool.call", resource == Resource::"refund")
    when { context.agent == "triage" && context.arguments has amount && context.arguments.amount <= 50 };
  @id("large") @effect("ask") permit(principal, action == Action::"tool.call", resource == Resource::"refund")
    when { context.arguments has amount && context.arguments.amount >= 51 };
  @id("never") forbid(principal, action, resource) when { resource == Resource::"tickets_admin" };
  @id("leads") permit(principal in Role::"team/support", action == Action::"memory.write", resource == Resource::"notes");
  @id("careful") @effect("ask")
    permit(principal, action == Action::"memory.write", resource == Resource::"shared");
  @id("free") permit(principal, action == Action::"memory.write", resource == Resource::"shared");`;

/** Alice leads the support team; nobody else has a role. */
const roles: RoleSource = {
  roles: async ({ principal }) => (principal.user === "alice" ? ["team/support"] : []),
};

describe.each([
  ["built-in", new PolicyPermissions({ policies, roles })],
  ["cedar", new CedarPermissions({ policies: cedar, roles })],
])("%s", (_, permissions) => {
  const effect = async (request: PermissionRequest, who: CallContext = context) =>
    (await permissions.decide(who, request)).effect;

  test("default deny, conditions on arguments, ask, and deny over all", async () => {
    expect(await effect({ action: "tool.call", resource: "tickets_list" })).toBe("allow");
    expect(await effect({ action: "tool.call", resource: "tickets_admin" })).toBe("deny");
    expect(await effect({ action: "memory.write", resource: "tickets_list" })).toBe("deny");
    expect(await effect(refund(50))).toBe("allow");
    expect(await effect(refund(51))).toBe("ask");
    expect(await effect(refund("50"))).toBe("deny");
    expect(await effect({ action: "tool.call", resource: "refund" })).toBe("deny");
    expect(await permissions.decide(context, refund(1))).toMatchObject({ policy: "small" });
  });

  test("what one policy allows and another asks for is asked", async () => {
    const shared = { action: "memory.write", resource: "shared" };
    expect(await permissions.decide(context, shared)).toMatchObject({ effect: "ask", policy: "careful" });
  });

  test("a role allows who has it, by the directory's word and not by the caller's", async () => {
    const notes = { action: "memory.write", resource: "notes" };
    expect(await effect(notes)).toBe("allow");
    for (const user of ["bob", "team/support"]) {
      expect(await effect(notes, { principal: { ...context.principal, user } })).toBe("deny");
    }
  });

  test("a decision explains itself", async () => {
    const explained = await permissions.explain(context, refund(60));
    expect(explained).toMatchObject({ effect: "ask", policy: "large" });
    const counted = explained.considered.filter(({ miss }) => miss === undefined);
    expect(counted).toEqual([{ policy: "large", effect: "ask" }]);
    expect(explained.considered.map(({ policy }) => policy).sort()).toEqual(["large", "never", "read", "small"]);
  });
});

test("the effective right is the strictest of the agent's ceiling, the human's and the session's", async () => {
  const effects = ["allow", "ask", "deny"] as const;
  const layer = (effect: (typeof effects)[number]) =>
    new PolicyPermissions({ policies: [{ id: effect, effect, actions: ["*"], resources: ["*"] }] });
  const property = fc.asyncProperty(fc.tuple(...[1, 2, 3].map(() => fc.nat(2))), async ([a = 0, u = 0, s = 0]) => {
    const [agent, user, session] = [a, u, s].map((at) => layer(effects[at] ?? "deny"));
    if (!agent || !user || !session) throw new Error("three layers");
    const all = new IntersectedPermissions({ agent, user, session });
    expect((await all.decide(context, refund(1))).effect).toBe(effects[Math.max(a, u, s)]);
    const alone = { principal: { tenant: "acme", agent: "triage" } };
    expect((await all.decide(alone, refund(1))).effect).toBe(effects[a]);
  });
  await fc.assert(property, { numRuns: 60 });
});

test("the built-in policies say what keeps each of them from counting, and each layer speaks for itself", async () => {
  const permissions = new PolicyPermissions({ policies });
  const { considered } = await permissions.explain(context, refund(60));
  expect(considered).toMatchObject([
    { policy: "read", miss: "another resource" },
    { policy: "small", miss: "the condition on /amount" },
    { policy: "large" },
    { policy: "never", miss: "another resource" },
  ]);
  const layered = new IntersectedPermissions({ agent: permissions, user: new CedarPermissions({ policies: "" }) });
  expect(await layered.explain(context, refund(60))).toMatchObject({
    effect: "deny",
    reason: expect.stringContaining("user: "),
    layers: { agent: { effect: "ask" }, user: { effect: "deny", considered: [] } },
  });
});

test("a dry run allows, and records what it would have done", async () => {
  const keyring = new Keyring({ store: new InMemoryIdentityStore(), wrapper: ephemeralWrapper() });
  const audit = new AuditLog({ store: new InMemoryAuditStore(), keyring });
  for (const permissions of [new PolicyPermissions({ policies }), new CedarPermissions({ policies: cedar })]) {
    const dry = new AuditedPermissions({ permissions, audit, mode: "log_only" });
    expect(await dry.decide(context, refund("no"))).toMatchObject({ effect: "allow" });
    expect((await audit.read(context)).at(-1)?.entry).toMatchObject({
      decision: "deny",
      details: { mode: "log_only", resource: "refund" },
    });
    const meant = new AuditedPermissions({ permissions, audit });
    expect(await meant.decide(context, refund("no"))).toMatchObject({ effect: "deny" });
  }
});

test("what is no policy is refused with the field's name", async () => {
  const wrong = [{ id: "x", effect: "permit", actions: ["a"], resources: ["b"] }] as unknown as Policy[];
  await expect(new PolicyPermissions({ policies: wrong }).decide(context, refund(1))).rejects.toMatchObject({
    code: "IDENTITY_INVALID",
    message: expect.stringContaining("0.effect"),
  });
  expect(() => new CedarPermissions({ policies: "permit(" })).toThrow(/do not parse/);
  const twice = '@id("a") forbid(principal, action, resource); @id("a") permit(principal, action, resource);';
  expect(() => new CedarPermissions({ policies: twice })).toThrow(/two have the id a/);
});
