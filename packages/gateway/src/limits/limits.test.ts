import { afterEach, expect, test } from "vitest";
import { bearers } from "../fixtures/parts.ts";
import { type CallContext, type Caller, functionsTarget, Gateway, type GatewayDeps, type LimitRule } from "../index.ts";
import { serve } from "../node/index.ts";
import { InMemoryAgentSessions } from "../testing/in-memory-agent-sessions.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const HOUR_MS = 3_600_000;
const quota = (limit: number) => ({ limit, windowMs: HOUR_MS });
const seen: CallContext[] = [];
let release = () => {};
const target = functionsTarget({
  name: "t",
  tools: {
    echo: {
      inputSchema: { type: "object" },
      run: async (input, context) => {
        seen.push(context);
        return input;
      },
    },
    wait: {
      inputSchema: { type: "object" },
      run: () =>
        new Promise((resolve) => {
          release = () => resolve("done");
        }),
    },
  },
});
const other = functionsTarget({
  name: "u",
  tools: { echo: { inputSchema: { type: "object" }, run: async () => "u" } },
});

const callers: Readonly<Record<string, Caller>> = {
  ann: { tenant: "acme", user: "ann", claims: { plan: "free" }, scopes: ["read"] },
  bob: { tenant: "acme", user: "bob", claims: { plan: "paid" }, scopes: ["read", "pay"] },
};

function gatewayOf(rules: readonly LimitRule[], extra: Partial<GatewayDeps> = {}): Gateway {
  const gateway = new Gateway({
    authenticator: bearers(callers),
    targets: [target, other],
    limits: { rules },
    ...extra,
  });
  closing.push(() => gateway.close());
  return gateway;
}

const call = (gateway: Gateway, who = "ann", name = "t___echo") =>
  gateway.fetch(
    new Request("http://gateway/mcp", {
      method: "POST",
      headers: { authorization: `Bearer ${who}`, "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: {} } }),
    }),
  );
const statuses = async (gateway: Gateway, ...calls: readonly (readonly [string?, string?])[]) => {
  const found = [];
  for (const [who, name] of calls) found.push((await call(gateway, who, name)).status);
  return found;
};
const invoke = (gateway: Gateway, path = "/agents/worker/invoke", who = "ann") =>
  gateway.fetch(
    new Request(`http://gateway${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${who}` },
      body: '{"input":"x"}',
    }),
  );

test("one call of a tool through the door counts once, and so does one in process", async () => {
  const gateway = gatewayOf([{ name: "calls", per: ["tenant"], quota: quota(3) }]);
  expect(await statuses(gateway, [], [])).toEqual([200, 200]);
  await gateway.tools.call({ principal: { tenant: "acme" } }, "t___echo", {});
  expect(await statuses(gateway, [])).toEqual([429]);
});

test("of one name the rule that says most applies, and alone", async () => {
  const gateway = gatewayOf([
    { name: "calls", per: ["user"], quota: quota(1) },
    { name: "calls", per: ["user"], when: { target: "u" }, quota: quota(2) },
    { name: "calls", per: ["user"], when: { target: "u", user: "bob" }, quota: quota(3) },
  ]);
  const u = "u___echo";
  expect(await statuses(gateway, [], [], ["ann", u], ["ann", u], ["ann", u])).toEqual([200, 429, 200, 200, 429]);
  expect(await statuses(gateway, ["bob", u], ["bob", u], ["bob", u], ["bob", u])).toEqual([200, 200, 200, 429]);
});

test("a claim makes a rule, and goes no further than the gateway", async () => {
  const gateway = gatewayOf([
    { name: "plan", per: ["claim:plan"], quota: quota(2) },
    { name: "plan", per: ["claim:plan"], when: { "claim:plan": "free" }, quota: quota(1) },
  ]);
  expect(await statuses(gateway, [], [], ["bob"], ["bob"], ["bob"])).toEqual([200, 429, 200, 200, 429]);
  expect(JSON.stringify(seen)).not.toMatch(/plan|scopes/);
});

test("tokens and money that agents report are charged after, and refuse when nothing is left", async () => {
  const usage = [{ model: "m", inputTokens: 700, outputTokens: 500 }];
  const agents = () => new InMemoryAgentSessions({ worker: () => "ok" }, { usage });
  for (const rule of [
    { name: "tokens", unit: "tokens", per: ["user"], quota: quota(2000) },
    { name: "money", unit: "money", per: ["user"], quota: quota(20) },
  ] as const) {
    const pricing = { price: () => ({ micros: 12, currency: "EUR" }) };
    const gateway = gatewayOf([rule], { agents: agents(), limits: { rules: [rule], pricing } });
    expect([(await invoke(gateway)).status, (await invoke(gateway)).status]).toEqual([200, 200]);
    await expect.poll(async () => (await invoke(gateway)).status).toBe(429);
    expect((await invoke(gateway, undefined, "bob")).status).toBe(200);
  }
});

test("work that nobody listens to is charged too, and once when several listen", async () => {
  const rules: LimitRule[] = [{ name: "tokens", unit: "tokens", per: ["agent"], quota: quota(1000) }];
  const charged: number[] = [];
  const agents = new InMemoryAgentSessions({ worker: () => "ok" }, { usage: [{ inputTokens: 3, outputTokens: 4 }] });
  const limiter = {
    take: async () => ({ allowed: true, remaining: 9, resetMs: 0, retryAfterMs: 0 }),
    charge: async (_key: string, _quota: unknown, cost: number) => void charged.push(cost),
  };
  const gateway = gatewayOf(rules, { agents, limits: { rules, limiter } });
  const { id } = (await (await invoke(gateway, "/agents/worker/sessions")).json().catch(() => ({}))) as { id?: string };
  expect(id).toBeUndefined();
  const opened = await gateway.fetch(
    new Request("http://gateway/agents/worker/sessions", { method: "POST", headers: { authorization: "Bearer ann" } }),
  );
  const session = ((await opened.json()) as { id: string }).id;
  for (const path of ["messages"]) {
    await gateway.fetch(
      new Request(`http://gateway/agents/worker/sessions/${session}/${path}`, {
        method: "POST",
        headers: { authorization: "Bearer ann" },
        body: '{"type":"user.message","body":{"content":1}}',
      }),
    );
  }
  await expect.poll(() => charged).toEqual([7]);
  const streamed = await invoke(gateway, "/agents/worker/stream");
  await streamed.text();
  await expect.poll(() => charged).toEqual([7, 7]);
});

test("so many calls at one time, and a place is free again when one ends", async () => {
  const gateway = gatewayOf([{ name: "busy", unit: "concurrency", per: ["user"], max: 1 }]);
  const slow = call(gateway, "ann", "t___wait");
  await expect.poll(async () => (await call(gateway)).status).toBe(429);
  expect((await call(gateway, "bob")).status).toBe(200);
  release();
  expect((await slow).status).toBe(200);
  expect((await call(gateway)).status).toBe(200);
});

test("so many of one tool at one time, in process too", async () => {
  const gateway = gatewayOf([{ name: "busy", unit: "concurrency", per: ["tool"], max: 1 }]);
  const context = { principal: { tenant: "acme" } };
  const slow = gateway.tools.call(context, "t___wait", {});
  await expect.poll(() => gateway.tools.call(context, "t___wait", {}).catch(({ kind }) => kind)).toBe("limited");
  await gateway.tools.call(context, "t___echo", {});
  release();
  await slow;
});

test("so many open streams at one time, and one that its reader left is free again", async () => {
  const agents = new InMemoryAgentSessions({ worker: () => "ok" });
  const gateway = gatewayOf([{ name: "open", unit: "connections", per: ["user"], max: 1 }], { agents });
  const server = await serve(gateway);
  closing.push(() => server.close({ graceMs: 0 }));
  const { id } = await agents.open({ principal: { tenant: "acme" } }, { agent: "worker" });
  const listen = () =>
    fetch(`${server.url}/agents/worker/sessions/${id}/events`, { headers: { authorization: "Bearer ann" } });
  const first = await listen();
  expect((await listen()).status).toBe(429);
  expect((await invoke(gateway)).status).toBe(200);
  await first.body?.cancel();
  await expect.poll(async () => (await listen()).status).toBe(200);
});

test("a call that lacks a scope is told which to ask for, with 403, by tool and by agent", async () => {
  const gateway = gatewayOf([], {
    agents: new InMemoryAgentSessions({ worker: () => "ok" }),
    scopes: [
      { action: "tool.call", resource: "u/*", scopes: ["pay"] },
      { action: "agent.invoke", resource: "worker", scopes: ["pay"] },
    ],
    resource: { resource: "https://gateway.example/mcp", authorizationServers: ["https://login.example"] },
  });
  expect(await statuses(gateway, [], ["bob", "u___echo"])).toEqual([200, 200]);
  for (const refused of [await call(gateway, "ann", "u___echo"), await invoke(gateway)]) {
    expect(refused.status).toBe(403);
    const asked = refused.headers.get("www-authenticate");
    expect(asked).toMatch(/error="insufficient_scope", scope="pay"/);
    expect(asked).toContain('resource_metadata="https://gateway.example/.well-known/oauth-protected-resource"');
  }
  expect((await invoke(gateway, undefined, "bob")).status).toBe(200);
});

test.each([
  [{ name: "Calls", per: ["tenant"], quota: quota(1) }],
  [{ name: "calls", per: [], quota: quota(1) }],
  [{ name: "calls", per: ["tenant"], quota: quota(0) }],
  [{ name: "busy", unit: "concurrency", per: ["tenant"], max: 0 }],
] as readonly [LimitRule][])("a rule that cannot be used is refused: %j", (rule) => {
  expect(() => gatewayOf([rule])).toThrow(/Limit /);
});
