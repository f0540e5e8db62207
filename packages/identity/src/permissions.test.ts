import fc from "fast-check";
import { expect, test } from "vitest";
import { AuditLog } from "./audit-log.ts";
import { AuditedPermissions } from "./audited-permissions.ts";
import { CedarPermissions } from "./cedar/index.ts";
import { InMemoryAuditStore, InMemoryIdentityStore } from "./in-memory/index.ts";
import { IntersectedPermissions } from "./intersected-permissions.ts";
import { Keyring } from "./keyring.ts";
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
];
const cedar = `
  @id("read") permit(principal, action == Action::"tool.call", resource) when { resource == Resource::"tickets_list" };
  @id("small") permit(principal, action == Action::"tool.call", resource == Resource::"refund")
    when { context.agent == "triage" && context.arguments has amount && context.arguments.amount <= 50 };
  @id("large") @effect("ask") permit(principal, action == Action::"tool.call", resource == Resource::"refund")
    when { context.arguments has amount && context.arguments.amount >= 51 };
  @id("never") forbid(principal, action, resource) when { resource == Resource::"tickets_admin" };`;

test.each([
  ["built-in", new PolicyPermissions({ policies })],
  ["cedar", new CedarPermissions({ policies: cedar })],
])("%s: default deny, conditions on arguments, ask, and deny over all", async (_, permissions) => {
  const effect = async (request: Parameters<typeof permissions.decide>[1]) =>
    (await permissions.decide(context, request)).effect;
  expect(await effect({ action: "tool.call", resource: "tickets_list" })).toBe("allow");
  expect(await effect({ action: "tool.call", resource: "tickets_admin" })).toBe("deny");
  expect(await effect({ action: "memory.write", resource: "tickets_list" })).toBe("deny");
  expect(await effect(refund(50))).toBe("allow");
  expect(await effect(refund(51))).toBe("ask");
  expect(await effect(refund("50"))).toBe("deny");
  expect(await effect({ action: "tool.call", resource: "refund" })).toBe("deny");
  expect(await permissions.decide(context, refund(1))).toMatchObject({ policy: "small" });
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

test("a decision explains itself, and a dry run allows but records what it would have done", async () => {
  const permissions = new PolicyPermissions({ policies });
  expect(await permissions.explain(context, refund(60))).toMatchObject({
    effect: "ask",
    policy: "large",
    considered: [
      { policy: "read", miss: "another resource" },
      { policy: "small", miss: "the condition on /amount" },
      { policy: "large" },
      { policy: "never", miss: "another resource" },
    ],
  });
  const keyring = new Keyring({ store: new InMemoryIdentityStore(), wrapper: ephemeralWrapper() });
  const audit = new AuditLog({ store: new InMemoryAuditStore(), keyring });
  const dry = new AuditedPermissions({ permissions, audit, mode: "log_only" });
  expect(await dry.decide(context, refund("no"))).toMatchObject({ effect: "allow" });
  expect((await audit.read(context))[0]?.entry).toMatchObject({ decision: "deny", details: { mode: "log_only" } });
});

test("what is no policy is refused with the field's name", async () => {
  const wrong = [{ id: "x", effect: "permit", actions: ["a"], resources: ["b"] }] as unknown as Policy[];
  await expect(new PolicyPermissions({ policies: wrong }).decide(context, refund(1))).rejects.toMatchObject({
    code: "IDENTITY_INVALID",
    message: expect.stringContaining("0.effect"),
  });
  expect(() => new CedarPermissions({ policies: "permit(" })).toThrow(/do not parse/);
});
