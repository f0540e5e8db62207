import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { createMcpHandler, createRequestStateCodec, inputRequired, McpServer } from "@modelcontextprotocol/server";
import { afterEach, expect } from "vitest";
import { hostile } from "../../../test/support/hostile.ts";
import { bearers } from "./fixtures/parts.ts";
import { functionsTarget, Gateway, type GatewayDeps, mcpTarget, ProxyAuthenticator, type Target } from "./index.ts";
import { serve } from "./node/index.ts";
import { buildRequest } from "./openapi/request.ts";
import type { Argument } from "./openapi/tool-shape.ts";
import { InMemoryAgentSessions } from "./testing/index.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const ann = { principal: { tenant: "acme", user: "ann" } };
const authenticator = bearers({ ann: ann.principal, eve: { tenant: "acme", user: "eve" } });
const echo = functionsTarget({
  name: "t",
  tools: { echo: { inputSchema: { type: "object" }, run: async (input) => input } },
});

function gatewayOf(extra: Partial<GatewayDeps> = {}): Gateway {
  const gateway = new Gateway({ authenticator, targets: [echo], maxBodyBytes: 1024 * 1024, ...extra });
  closing.push(() => gateway.close());
  return gateway;
}

const call = (name: string, args: object = {}) =>
  JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args } });
const post = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
  new Request("http://gateway/mcp", {
    method: "POST",
    headers: { authorization: "Bearer ann", "content-type": "application/json", ...headers },
    body,
  });

hostile("a chunked body over the wire that never says how long it is", {
  control: "a handler that only looks at content-length reads all that comes",
  async unguarded() {
    const server = createServer(async (request, response) => {
      let received = 0;
      for await (const chunk of request) received += (chunk as Buffer).length;
      response.end(String(received));
    }).listen(0, "127.0.0.1");
    closing.push(() => server.close());
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const chunked = new Blob(["x".repeat(3 * 1024 * 1024)]).stream();
    const response = await fetch(url, { method: "POST", body: chunked, duplex: "half" } as RequestInit);
    expect(await response.text()).toBe(String(3 * 1024 * 1024));
  },
  async guarded() {
    const server = await serve(gatewayOf());
    closing.push(() => server.close({ graceMs: 0 }));
    const chunked = new Blob(["x".repeat(3 * 1024 * 1024)]).stream();
    const response = await fetch(`${server.url}/mcp`, {
      method: "POST",
      headers: { authorization: "Bearer ann", "content-type": "application/json" },
      body: chunked,
      duplex: "half",
    } as RequestInit).catch(() => undefined);
    expect([413, undefined]).toContain(response?.status);
  },
});

hostile("a request whose body is a gzip bomb", {
  control: "a handler that inflates requests makes 4 MiB of a few KiB",
  async unguarded() {
    const small = gzipSync(Buffer.alloc(4 * 1024 * 1024));
    expect(small.byteLength).toBeLessThan(64 * 1024);
    const plain = new Blob([small]).stream().pipeThrough(new DecompressionStream("gzip"));
    expect((await new Response(plain).arrayBuffer()).byteLength).toBe(4 * 1024 * 1024);
  },
  async guarded() {
    const small = gzipSync(Buffer.alloc(4 * 1024 * 1024));
    const response = await gatewayOf().fetch(post(small, { "content-encoding": "gzip" }));
    expect(response.status).toBe(400);
  },
});

const argument = (name: string, place: Argument["place"]): Argument =>
  ({ name, argument: name, place, style: "form", explode: true }) as Argument;
const requestOf = (path: string, args: Record<string, string>, ...list: readonly Argument[]) =>
  buildRequest(
    "https://api.example/v1",
    "get",
    path,
    { arguments: list, mediaType: undefined } as unknown as Parameters<typeof buildRequest>[3],
    args,
  ).url;

hostile("//host as a path parameter", {
  control: "joined by URL it becomes the host",
  unguarded() {
    expect(new URL("//evil.example/x", "https://api.example/v1").host).toBe("evil.example");
  },
  guarded() {
    for (const id of ["//evil.example/x", "/\\evil.example", "https://evil.example/"]) {
      const url = new URL(requestOf("/{id}", { id }, argument("id", "path")));
      expect([url.host, url.pathname.startsWith("/v1/")]).toEqual(["api.example", true]);
    }
  },
});

hostile("an absolute URL in an argument", {
  control: "a builder that resolves the argument goes elsewhere",
  unguarded() {
    expect(new URL("https://evil.example/steal", "https://api.example/v1/").host).toBe("evil.example");
  },
  guarded() {
    const target = "https://evil.example/steal?a=b#c";
    const url = new URL(requestOf("/pets", { next: target }, argument("next", "query")));
    expect([url.host, url.pathname, url.searchParams.get("next"), url.hash]).toEqual([
      "api.example",
      "/v1/pets",
      target,
      "",
    ]);
  },
});

hostile("an encoded .. in the gateway's own path", {
  control: "a router that decodes twice sees another address",
  unguarded() {
    expect(decodeURIComponent(decodeURIComponent("%252e%252e%252fadmin"))).toBe("../admin");
  },
  async guarded() {
    const gateway = gatewayOf({ agents: new InMemoryAgentSessions({ echo: (input) => input }) });
    for (const path of ["/agents/%2e%2e%2fadmin/invoke", "/agents/a%2fb/invoke", "/agents//invoke", "/mcp/..%5cx"]) {
      const url = `http://gateway${path}`;
      const { status } = await gateway.fetch(
        new Request(url, { method: "POST", headers: { authorization: "Bearer ann" } }),
      );
      expect([400, 404]).toContain(status);
    }
  },
});

function bank(): { readonly target: Target; readonly paid: string[] } {
  const paid: string[] = [];
  const target: Target = {
    name: "bank",
    list: async () => [{ name: "pay", inputSchema: { type: "object" } }],
    call: async (_, name) => {
      paid.push(name);
      return { content: [] };
    },
  };
  return { target, paid };
}
const aliases = { refund: "bank___pay" };

hostile("a refused tool called by its alias", {
  control: "without a policy on the tool the alias runs it",
  async unguarded() {
    const { target, paid } = bank();
    await gatewayOf({ targets: [target, echo], aliases }).fetch(post(call("refund")));
    expect(paid).toEqual(["pay"]);
  },
  async guarded() {
    const { target, paid } = bank();
    const gateway = gatewayOf({
      targets: [target, echo],
      aliases,
      listing: "permitted",
      permissions: {
        decide: async (_, { resource }) => ({ effect: resource === "bank/pay" ? "deny" : "allow", reason: "closed" }),
      },
    });
    expect((await gateway.tools.list(ann)).map(({ name }) => name)).toEqual(["t___echo"]);
    for (const name of ["refund", "bank___pay"]) {
      const answer = (await (await gateway.fetch(post(call(name)))).json()) as { result?: { isError?: boolean } };
      expect(answer.result?.isError).toBe(true);
    }
    expect(paid).toEqual([]);
  },
});

hostile("headers of the proxy in front, written by a caller", {
  control: "an authenticator that believes the header lets anybody in as anybody",
  unguarded() {
    const { headers } = new Request("http://gateway/mcp", { headers: { "x-client-subject": "CN=root" } });
    expect(headers.get("x-client-subject")).toBe("CN=root");
  },
  async guarded() {
    const proxied = new ProxyAuthenticator({
      secret: "what-only-the-proxy-and-the-gateway-know",
      principal: ({ subject }) => ({ tenant: "acme", user: subject }),
    });
    const gateway = gatewayOf({ authenticator: proxied });
    const forged = { "x-client-verify": "SUCCESS", "x-client-subject": "CN=root" };
    for (const extra of [{}, { "x-proxy-secret": "guess" }]) {
      expect((await gateway.fetch(post(call("echo"), { ...forged, ...extra }))).status).toBe(401);
    }
  },
});

const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "c", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": { elicitation: { form: {} } },
};
const question = inputRequired.elicit({
  message: "Pay?",
  requestedSchema: { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"] },
});

/** A server that keeps in its client's hands whether somebody approved, signed or as plain text; and how to call it. */
async function approving(signed: boolean) {
  const codec = createRequestStateCodec<string>({ key: "a key that only this server has, 32+" });
  const mint = async (state: string) => (signed ? codec.mint(state) : Buffer.from(state).toString("base64url"));
  const handler = createMcpHandler(() => {
    const server = new McpServer(
      { name: "bank", version: "1" },
      signed ? { requestState: { verify: codec.verify } } : {},
    );
    server.registerTool("pay", { description: "Pays once approved" }, async (context) => {
      const state = context.mcpReq.requestState<string>();
      if (state === undefined) {
        return inputRequired({ inputRequests: { ok: question }, requestState: await mint("approved:false") });
      }
      return { content: [{ type: "text", text: signed ? state : Buffer.from(state, "base64url").toString() }] };
    });
    return server;
  });
  const upstream = await serve({ fetch: (request) => handler.fetch(request), drain: async () => {} });
  closing.push(() => upstream.close({ graceMs: 0 }));
  const targets = [mcpTarget({ name: "bank", url: `${upstream.url}/mcp` })];
  const gateway = gatewayOf({ targets, allow: [new URL(upstream.url).host] });
  return async (requestState?: string): Promise<{ readonly state: string; readonly text: string }> => {
    const params = {
      name: "pay",
      arguments: {},
      _meta: meta,
      ...(requestState === undefined
        ? {}
        : { requestState, inputResponses: { ok: { action: "accept", content: { ok: true } } } }),
    };
    const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "pay" };
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params });
    const accept = "application/json, text/event-stream";
    const text = await (await gateway.fetch(post(body, { ...headers, accept }))).text();
    return { state: /"requestState":"([^"]+)"/.exec(text)?.[1] ?? "", text };
  };
}

hostile("a requestState that its client changed", {
  control: "a server that does not sign it does what the client wrote into it",
  async unguarded() {
    const ask = await approving(false);
    expect((await ask()).state).not.toBe("");
    const changed = Buffer.from("approved:true").toString("base64url");
    expect((await ask(changed)).text).toContain("approved:true");
  },
  async guarded() {
    const ask = await approving(true);
    const { state } = await ask();
    expect((await ask(state)).text).toContain("approved:false");
    for (const changed of [`${state.slice(0, -2)}AA`, Buffer.from("approved:true").toString("base64url")]) {
      const { text } = await ask(changed);
      expect(text).toContain('"error"');
      expect(text).not.toContain("approved:");
    }
  },
});

hostile("another agent's session through the address of a permitted one", {
  control: "the agents' own store takes a session's id whatever the address says",
  async unguarded() {
    const agents = new InMemoryAgentSessions({ open: (input) => input, closed: (input) => input });
    const { id } = await agents.open(ann, { agent: "closed" });
    expect(await agents.send(ann, id, { type: "user.message", body: 1 })).toEqual({ seq: 1 });
  },
  async guarded() {
    const agents = new InMemoryAgentSessions({ open: (input) => input, closed: (input) => input });
    const gateway = gatewayOf({
      agents,
      permissions: {
        decide: async (_, { resource }) => ({ effect: resource === "open" ? "allow" : "deny", reason: "closed" }),
      },
    });
    const { id } = await agents.open(ann, { agent: "closed" });
    const send = await gateway.fetch(
      new Request(`http://gateway/agents/open/sessions/${id}/messages`, {
        method: "POST",
        headers: { authorization: "Bearer ann" },
        body: '{"type":"user.message","body":1}',
      }),
    );
    expect(send.status).toBe(404);
  },
});
