import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterEach, expect, test } from "vitest";
import { bearerInjector, bearers, startTickets } from "./fixtures/parts.ts";
import { Gateway, type GatewayDeps, GatewayError, mcpTarget } from "./index.ts";
import { type GatewayServer, serve } from "./node/index.ts";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});
const own = <T extends AsyncDisposable>(each: T): T => {
  open.push(each);
  return each;
};

const context = { principal: { tenant: "acme", agent: "resolver" } };

async function stack(extra: Partial<GatewayDeps> = {}) {
  const tickets = own(await startTickets("s3cret-token-value"));
  const gateway = own(
    new Gateway({
      authenticator: bearers({ caller: { tenant: "acme", user: "ann" }, other: { tenant: "globex" } }),
      injector: bearerInjector({ ticket_db_token: "s3cret-token-value" }),
      targets: [mcpTarget({ name: "tickets", url: tickets.url, auth: { credentialRef: "ticket_db_token" } })],
      allow: [new URL(tickets.url).host],
      ...extra,
    }),
  );
  const server: GatewayServer = own(await serve(gateway));
  return { tickets, gateway, server };
}

async function client(url: string, token: string, mode: "auto" | "legacy"): Promise<Client> {
  const made = new Client({ name: "test", version: "1" }, mode === "auto" ? { versionNegotiation: { mode } } : {});
  await made.connect(
    new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { authorization: `Bearer ${token}` } } }),
  );
  own({ [Symbol.asyncDispose]: () => made.close() });
  return made;
}

for (const mode of ["auto", "legacy"] as const) {
  for (const several of [false, true]) {
    test(`an MCP client (${mode}) reaches ${several ? "one of several targets" : "the only target"} with the credential injected`, async () => {
      const { gateway, server, tickets } = await stack();
      if (several) gateway.addTarget({ name: "empty", list: async () => [], call: async () => ({ content: [] }) });
      const mcp = await client(`${server.url}/mcp`, "caller", mode);
      const prefix = several ? "tickets___" : "";
      const { tools } = await mcp.listTools();
      expect(tools.map(({ name }) => name)).toContain(`${prefix}read`);
      const result = await mcp.callTool({ name: `${prefix}read`, arguments: { id: "T-1" } });
      expect(result.content).toEqual([{ type: "text", text: "T-1 is open" }]);
      expect(tickets.seen.at(-1)?.authorization).toBe("Bearer s3cret-token-value");
    });
  }
}

test("the same tools in process, and the idempotency key reaches the target in header and _meta", async () => {
  const { gateway, tickets } = await stack();
  expect((await gateway.tools.list(context)).map(({ name }) => name)).toEqual(["read", "echo"]);
  await gateway.tools.call({ ...context, idempotencyKey: "step-7" }, "read", { id: "T-2" });
  expect(tickets.seen.at(-1)?.["idempotency-key"]).toBe("step-7");
  expect(tickets.bodies.at(-1)).toContain('"ashlar/idempotencyKey":"step-7"');
});

test("what a target echoes of the injected credential never comes back, as JSON or in an event stream", async () => {
  const { gateway, server } = await stack();
  const result = await gateway.tools.call(context, "echo", {});
  expect(JSON.stringify(result)).not.toContain("s3cret-token-value");
  expect(JSON.stringify(result)).toContain("[redacted]");
  const legacy = await client(`${server.url}/mcp`, "caller", "legacy");
  expect(JSON.stringify(await legacy.callTool({ name: "echo", arguments: {} }))).not.toContain("s3cret-token-value");
});

test("no credentials and wrong ones are 401 with a challenge; no target is asked", async () => {
  const { server, tickets } = await stack({
    resource: { resource: "https://gw.example/mcp", authorizationServers: ["https://idp.example"] },
  });
  for (const headers of [{}, { authorization: "Bearer wrong" }]) {
    const response = await fetch(`${server.url}/mcp`, { method: "POST", headers, body: "{}" });
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toContain('resource_metadata="https://gw.example/.well-known');
  }
  expect(tickets.seen).toEqual([]);
  const metadata = await fetch(`${server.url}/.well-known/oauth-protected-resource`);
  expect(await metadata.json()).toMatchObject({ authorization_servers: ["https://idp.example"] });
});

test("permissions are asked with target, tool and arguments, and a refusal reaches no target", async () => {
  const asked: unknown[] = [];
  const { gateway, server, tickets } = await stack({
    permissions: {
      async decide(_, request) {
        asked.push(request);
        return { effect: "deny", reason: "tickets are closed today" };
      },
    },
  });
  await expect(gateway.tools.call(context, "read", { id: "T-1" })).rejects.toMatchObject({
    code: "GATEWAY_DENIED",
    kind: "denied",
  });
  for (const mode of ["auto", "legacy"] as const) {
    const mcp = await client(`${server.url}/mcp`, "caller", mode);
    const refused = await mcp.callTool({ name: "read", arguments: { id: "T-1" } });
    expect(refused).toMatchObject({ isError: true, content: [{ text: expect.stringContaining("closed today") }] });
  }
  expect(asked).toHaveLength(3);
  expect(asked.slice(0, 1)).toEqual([{ action: "tool.call", resource: "tickets/read", arguments: { id: "T-1" } }]);
  expect(tickets.bodies.filter((body) => body.includes("tools/call"))).toEqual([]);
});

test("a target on a private address is dialled only when it is named", async () => {
  const { gateway } = await stack({ allow: [] });
  await expect(gateway.tools.list(context)).rejects.toMatchObject({ code: "GATEWAY_DENIED" });
});

test("a limit answers 429 with the standard headers, per tenant", async () => {
  const { server } = await stack({
    limits: { rules: [{ name: "calls", per: ["tenant"], quota: { limit: 2, windowMs: 60_000 } }] },
  });
  const ask = (token: string) =>
    fetch(`${server.url}/mcp/none`, { method: "POST", headers: { authorization: `Bearer ${token}` }, body: "{}" });
  expect((await ask("caller")).status).toBe(404);
  await ask("caller");
  const refused = await ask("caller");
  expect(refused.status).toBe(429);
  expect(refused.headers.get("ratelimit-policy")).toBe('"calls";q=2;w=60');
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  expect((await ask("other")).status).toBe(404);
});

test("a removed target is gone at once, and its name can be taken again", async () => {
  const { gateway } = await stack();
  const again = { name: "tickets", list: async () => [], call: async () => ({ content: [] }) };
  expect(() => gateway.addTarget(again)).toThrow(GatewayError);
  expect(await gateway.removeTarget("tickets")).toBe(true);
  expect(await gateway.removeTarget("tickets")).toBe(false);
  gateway.addTarget(again);
  expect(await gateway.tools.list(context)).toEqual([]);
});

test("draining refuses new calls, says so at /readyz, and closes", async () => {
  const { gateway, server } = await stack();
  expect((await gateway.fetch(new Request("http://x/readyz"))).status).toBe(200);
  await server.close();
  expect((await gateway.fetch(new Request("http://x/readyz"))).status).toBe(503);
  const late = await gateway.fetch(new Request("http://x/agents", { headers: { authorization: "Bearer caller" } }));
  expect(late.status).toBe(503);
});

test("a target that is replaced gives way at once, and is closed when its last call has ended", async () => {
  const gateway = own(new Gateway({ authenticator: bearers({}) }));
  let finish = () => {};
  const closed: string[] = [];
  const target = (text: string, wait?: Promise<void>) => ({
    name: "t",
    list: async () => [],
    call: async () => {
      await wait;
      return { content: [{ type: "text", text }] };
    },
    close: async () => {
      closed.push(text);
    },
  });
  gateway.addTarget(
    target(
      "old",
      new Promise((resolve) => {
        finish = resolve;
      }),
    ),
  );
  const slow = gateway.tools.call(context, "x", {});
  const replaced = gateway.replaceTarget(target("new"));
  expect(await gateway.tools.call(context, "x", {})).toMatchObject({ content: [{ text: "new" }] });
  expect(closed).toEqual([]);
  finish();
  expect(await slow).toMatchObject({ content: [{ text: "old" }] });
  await replaced;
  expect(closed).toEqual(["old"]);
});
