import { expect, test } from "vitest";
import { z } from "zod";
import { bearers } from "../fixtures/parts.ts";
import { agentsTarget, functionsTarget, Gateway, httpFunctionsTarget, mcpTarget, searchedTools } from "../index.ts";
import { decodeHeaderValue } from "../mcp/protocol.ts";
import { serve } from "../node/index.ts";
import { InMemoryAgentSessions } from "../testing/index.ts";

const context = { principal: { tenant: "acme" } };
const object = { type: "object", properties: {} };
const gatewayOf = (...targets: NonNullable<ConstructorParameters<typeof Gateway>[0]["targets"]>) =>
  new Gateway({ authenticator: bearers({}), targets });

test("a function is a tool: its schema is checked, its value becomes a result", async () => {
  const sum = {
    inputSchema: object,
    parse: z.object({ a: z.number(), b: z.number() }),
    run: async ({ a, b }: { a: number; b: number }) => ({ sum: a + b }),
  };
  const { tools } = gatewayOf(functionsTarget({ name: "math", tools: { sum } }));
  expect(await tools.call(context, "sum", { a: 1, b: 2 })).toEqual({
    content: [{ type: "text", text: '{"sum":3}' }],
    structuredContent: { sum: 3 },
  });
  await expect(tools.call(context, "sum", { a: "1" })).rejects.toMatchObject({ kind: "invalid" });
  await expect(tools.call(context, "constructor", {})).rejects.toMatchObject({ kind: "not_found" });
});

test("a published agent is a tool", async () => {
  const agents = new InMemoryAgentSessions({ shout: (input) => String(input).toUpperCase() });
  const { tools } = gatewayOf(agentsTarget({ name: "agents", agents }));
  expect((await tools.list(context)).map(({ name }) => name)).toEqual(["shout"]);
  expect(await tools.call(context, "shout", { message: "hey" })).toEqual({ content: [{ type: "text", text: "HEY" }] });
});

test("an HTTP function gets the arguments and the idempotency key; its error is the tool's", async () => {
  const seen: Headers[] = [];
  const server = await serve({
    async fetch(request) {
      seen.push(request.headers);
      const args = (await request.json()) as { fail?: boolean };
      return Response.json(args.fail ? { errorMessage: "no stock" } : { got: args });
    },
    drain: async () => {},
  });
  const { host } = new URL(server.url);
  const gateway = new Gateway({
    authenticator: bearers({}),
    targets: [httpFunctionsTarget({ name: "f", url: server.url, tools: [{ name: "order", inputSchema: object }] })],
    allow: [host],
  });
  const result = await gateway.tools.call({ ...context, idempotencyKey: "k" }, "order", { sku: 1 });
  expect(result.structuredContent).toEqual({ got: { sku: 1 } });
  expect(seen[0]?.get("idempotency-key")).toBe("k");
  expect(await gateway.tools.call(context, "order", { fail: true })).toMatchObject({ isError: true });
  await server.close();
  await gateway.close();
});

test("search stands for a long list, and what it finds can be called", async () => {
  const tool = (description: string) => ({ description, inputSchema: object, run: async () => description });
  const { tools } = gatewayOf(
    functionsTarget({
      name: "shop",
      tools: { refundCharge: tool("Gives money back"), list_orders: tool("Orders of a customer") },
    }),
    functionsTarget({ name: "mail", tools: { send: tool("Sends a letter") } }),
  );
  const searched = searchedTools(tools);
  expect((await searched.list(context)).map(({ name }) => name)).toEqual(["search_tools"]);
  const found = await searched.call(context, "search_tools", { query: "refund a charge", limit: 1 });
  expect(found.structuredContent).toMatchObject({ tools: [{ name: "shop___refundCharge" }] });
  expect(await searched.call(context, "shop___refundCharge", {})).toMatchObject({
    content: [{ text: "Gives money back" }],
  });
});

test("names over 64 characters are cut, unique, and still callable", async () => {
  const long = "x".repeat(70);
  const tool = (value: string) => ({ inputSchema: object, run: async () => value });
  const { tools } = gatewayOf(
    functionsTarget({ name: "a", tools: { [`${long}1`]: tool("one"), [`${long}2`]: tool("two") } }),
    functionsTarget({ name: "b", tools: {} }),
  );
  const names = (await tools.list(context)).map(({ name }) => name);
  expect(new Set(names).size).toBe(2);
  for (const name of names) expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
  expect(await tools.call(context, names[1] ?? "", {})).toMatchObject({ content: [{ text: "two" }] });
});

test("an argument that a stateless MCP server wants in a header too is repeated there, one that was not given is not", async () => {
  const headers: Headers[] = [];
  const schema = {
    type: "object",
    properties: {
      region: { type: "string", "x-mcp-header": "Region" },
      zone: { type: "string", "x-mcp-header": "Zone" },
    },
  };
  const upstream = await serve({
    async fetch(request) {
      const { id, method } = (await request.json()) as { readonly id: number; readonly method: string };
      if (method === "tools/call") headers.push(request.headers);
      const tools = [{ name: "where", inputSchema: schema }];
      return Response.json({ jsonrpc: "2.0", id, result: { tools, content: [], supportedVersions: ["2026-07-28"] } });
    },
    drain: async () => {},
  });
  const target = mcpTarget({ name: "map", url: `${upstream.url}/mcp` });
  const gateway = new Gateway({ authenticator: bearers({}), targets: [target], allow: [new URL(upstream.url).host] });
  await gateway.tools.call(context, "where", { region: "Zürich\r\nX-Admin: yes" });
  const sent = headers[0]?.get("mcp-param-region") ?? "";
  expect(decodeHeaderValue(sent)).toBe("Zürich\r\nX-Admin: yes");
  expect([sent.startsWith("=?base64?"), headers[0]?.has("mcp-param-zone"), headers[0]?.has("x-admin")]).toEqual([
    true,
    false,
    false,
  ]);
  await gateway.close();
  await upstream.close({ graceMs: 0 });
});
