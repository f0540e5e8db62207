import { afterEach, expect, test } from "vitest";
import { bearerInjector, bearers, startTickets } from "./fixtures/parts.ts";
import {
  Approvals,
  functionsTarget,
  Gateway,
  type GatewayDeps,
  InMemoryApprovalStore,
  mcpTarget,
  type Permissions,
  toolDigest,
} from "./index.ts";
import { ManualClock } from "./testing/index.ts";

const closing: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

const ann = { principal: { tenant: "acme", user: "ann" } };
const boss = { principal: { tenant: "acme", user: "boss" } };
const schema = { type: "object", properties: { cents: { type: "integer", minimum: 1 } }, required: ["cents"] };

function bank(extra: Partial<GatewayDeps> = {}) {
  const paid: unknown[] = [];
  const target = functionsTarget({
    name: "bank",
    tools: {
      refund: {
        description: "Pays money back",
        inputSchema: schema,
        run: async (input) => {
          paid.push(input);
          return { ok: true };
        },
      },
      balance: { description: "Reads", inputSchema: { type: "object" }, run: async () => "x".repeat(100) },
    },
  });
  const gateway = new Gateway({ authenticator: bearers({ ann: ann.principal }), targets: [target], ...extra });
  closing.push(gateway);
  return { gateway, paid, target };
}

const asking: Permissions = {
  decide: async (_, { action, resource }) => ({
    effect: action === "tool.call" && resource === "bank/refund" ? "ask" : "allow",
    reason: "money moves",
  }),
};

test("a held call runs once after the answer, and only with the arguments that were seen", async () => {
  const approvals = new Approvals({ store: new InMemoryApprovalStore() });
  const { gateway, paid } = bank({ permissions: asking, approvals });
  const refund = (cents: number) => gateway.tools.call(ann, "refund", { cents });
  await expect(refund(5)).rejects.toMatchObject({ code: "GATEWAY_APPROVAL_NEEDED", message: /held as apr_/ });
  await expect(refund(5)).rejects.toMatchObject({ code: "GATEWAY_APPROVAL_NEEDED" });
  const { items } = await approvals.open(boss);
  expect(items).toMatchObject([{ resource: "bank/refund", arguments: { cents: 5 }, reason: "money moves" }]);
  await approvals.answer(boss, items[0]?.id ?? "", { allow: true });
  await expect(refund(500)).rejects.toMatchObject({ code: "GATEWAY_APPROVAL_NEEDED" });
  const both = await Promise.allSettled([refund(5), refund(5)]);
  expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  expect(paid).toEqual([{ cents: 5 }]);
});

test("a no is told once with its message; an answer expires", async () => {
  const clock = new ManualClock();
  const approvals = new Approvals({ store: new InMemoryApprovalStore(), expireMs: 1000, clock });
  const { gateway, paid } = bank({ permissions: asking, approvals });
  const refund = () => gateway.tools.call(ann, "refund", { cents: 5 });
  await expect(refund()).rejects.toMatchObject({ code: "GATEWAY_APPROVAL_NEEDED" });
  const id = (await approvals.open(boss)).items[0]?.id ?? "";
  await approvals.answer(boss, id, { allow: false, message: "too much" });
  await expect(approvals.answer(boss, id, { allow: true })).rejects.toMatchObject({ kind: "not_found" });
  await expect(refund()).rejects.toMatchObject({ code: "GATEWAY_DENIED", message: /too much/ });
  await expect(refund()).rejects.toMatchObject({ code: "GATEWAY_APPROVAL_NEEDED" });
  await approvals.answer(boss, id, { allow: true });
  await clock.advance(1000);
  await expect(refund()).rejects.toMatchObject({ code: "GATEWAY_APPROVAL_NEEDED" });
  expect(paid).toEqual([]);
});

test("interceptors change arguments before anything is decided, and answers on the way back, in reverse", async () => {
  const decided: unknown[] = [];
  const said = (text: string) => ({ content: [{ type: "text", text }] });
  const { gateway, paid } = bank({
    permissions: {
      decide: async (_, request) => {
        decided.push(request.arguments);
        return { effect: "allow", reason: "" };
      },
    },
    interceptors: [
      {
        request: async () => ({ cents: 7 }),
        response: async (_, __, { content }) => said(`outer ${content[0]?.text}`),
      },
      { response: async (_, { tool }) => said(`inner ${tool}`) },
    ],
  });
  expect(await gateway.tools.call(ann, "refund", { cents: 1 })).toEqual(said("outer inner refund"));
  expect([decided, paid]).toEqual([[{ cents: 7 }], [{ cents: 7 }]]);
});

test("arguments of every target must fit the tool's schema, and an answer the cap", async () => {
  const { gateway, paid } = bank({ maxOutputBytes: 100 });
  await expect(gateway.tools.call(ann, "refund", { cents: 0 })).rejects.toMatchObject({ kind: "invalid" });
  await expect(gateway.tools.call(ann, "refund", {})).rejects.toMatchObject({ kind: "invalid" });
  await gateway.tools.call(ann, "refund", { cents: 1 });
  expect(paid).toHaveLength(1);
  await expect(gateway.tools.call(ann, "balance", {})).rejects.toMatchObject({ code: "GATEWAY_OUTPUT_TOO_LARGE" });
  const { gateway: lax } = bank({ validateArguments: false });
  await lax.tools.call(ann, "refund", {});
});

async function rpc(gateway: Gateway, method: string, params: object = {}) {
  const answer = await gateway.fetch(
    new Request("http://gateway/mcp", {
      method: "POST",
      headers: { authorization: "Bearer ann", "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    }),
  );
  return (await answer.json()) as { readonly result?: never; readonly error?: { readonly message: string } };
}

test("search in front of /mcp: one tool is listed, all can be called, and what may not be used is not found", async () => {
  const { gateway } = bank({
    search: true,
    listing: "permitted",
    permissions: {
      decide: async (_, { resource }) => ({ effect: resource === "bank/refund" ? "deny" : "allow", reason: "" }),
    },
  });
  expect(await rpc(gateway, "tools/list")).toMatchObject({ result: { tools: [{ name: "search_tools" }] } });
  const find = (query: string) => rpc(gateway, "tools/call", { name: "search_tools", arguments: { query } });
  expect(await find("reads balance")).toMatchObject({
    result: { structuredContent: { tools: [{ name: "balance" }] } },
  });
  expect(await find("pays money refund")).toMatchObject({ result: { structuredContent: { tools: [] } } });
  expect(await rpc(gateway, "tools/call", { name: "refund", arguments: { cents: 1 } })).toMatchObject({
    result: { isError: true },
  });
});

test("an alias stands in the place of the name, and is judged as what it stands for", async () => {
  const seen: string[] = [];
  const { gateway } = bank({
    aliases: { give_back: "bank___refund" },
    permissions: {
      decide: async (_, { resource }) => {
        seen.push(resource);
        return { effect: "allow", reason: "" };
      },
    },
  });
  expect((await gateway.tools.list(ann)).map(({ name }) => name)).toEqual(["give_back", "balance"]);
  await gateway.tools.call(ann, "give_back", { cents: 1 });
  expect(seen).toEqual(["bank/refund"]);
  expect(() => bank({ aliases: { a___b: "bank___refund" } })).toThrow(/Alias/);
});

test("a tool whose description is no longer the pinned one is neither shown nor called", async () => {
  const { target } = bank();
  const [refund] = await target.list(ann);
  const digest = refund === undefined ? "" : toolDigest(refund);
  const same = bank({ pinned: { "bank/refund": digest } });
  await same.gateway.tools.call(ann, "refund", { cents: 1 });
  const { gateway, paid } = bank({ pinned: { "bank/refund": "0".repeat(64) } });
  expect((await gateway.tools.list(ann)).map(({ name }) => name)).toEqual(["balance"]);
  await expect(gateway.tools.call(ann, "refund", { cents: 1 })).rejects.toMatchObject({ code: "GATEWAY_DENIED" });
  expect(paid).toEqual([]);
});

test("in front of one MCP server: caps, approvals and checks hold for what passes through", async () => {
  const tickets = await startTickets("s3cret-token-value");
  closing.push(tickets);
  const through = (extra: Partial<GatewayDeps>) => {
    const gateway = new Gateway({
      authenticator: bearers({ ann: ann.principal }),
      injector: bearerInjector({ key: "s3cret-token-value" }),
      targets: [mcpTarget({ name: "tickets", url: tickets.url, auth: { credentialRef: "key" } })],
      allow: [new URL(tickets.url).host],
      ...extra,
    });
    closing.push(gateway);
    return gateway;
  };
  const read = (gateway: Gateway, args: object) => rpc(gateway, "tools/call", { name: "read", arguments: args });
  expect(await read(through({ maxOutputBytes: 20 }), { id: "T-1" })).toMatchObject({
    error: { message: expect.stringContaining("more than 20 bytes") },
  });
  expect(await read(through({ validateArguments: true }), { id: 5 })).toMatchObject({
    error: { message: expect.stringContaining("/id of read must be string") },
  });
  const approvals = new Approvals({ store: new InMemoryApprovalStore() });
  const held = through({ permissions: { decide: async () => ({ effect: "ask", reason: "" }) }, approvals });
  expect(await read(held, { id: "T-1" })).toMatchObject({ result: { isError: true } });
  expect((await approvals.open(boss)).items).toHaveLength(1);
});
