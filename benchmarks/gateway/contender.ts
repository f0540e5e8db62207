/** One server process of the benchmark: `contender.ts <kind> <upstream>` prints its address and waits. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  Client,
  StreamableHTTPClientTransport,
} from "../../packages/gateway/node_modules/@modelcontextprotocol/client/dist/index.mjs";
import {
  createMcpHandler,
  McpServer,
} from "../../packages/gateway/node_modules/@modelcontextprotocol/server/dist/index.mjs";
import { Pool } from "../../packages/gateway/node_modules/undici/index.js";
import { z } from "../../packages/gateway/node_modules/zod/index.js";
import { Gateway, mcpTarget, type Redactor } from "../../packages/gateway/src/index.ts";
import { JwtAuthenticator } from "../../packages/gateway/src/jwt/index.ts";
import { serve } from "../../packages/gateway/src/node/index.ts";

const [kind = "", upstream = ""] = process.argv.slice(2);
const reply = (id: unknown) =>
  JSON.stringify({
    jsonrpc: "2.0",
    id,
    result: { content: [{ type: "text", text: "T-1 is open" }], resultType: "complete" },
  });

async function listen(server: ReturnType<typeof createServer>): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
}

const raw = () =>
  listen(
    createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { id } = JSON.parse(Buffer.concat(chunks).toString()) as { id: unknown };
      const body = reply(id);
      response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
      response.end(body);
    }),
  );

const bytes = () => {
  const pool = new Pool(new URL(upstream).origin, { connections: 64 });
  return listen(
    createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { host, connection, "content-length": _, ...headers } = request.headers;
      const answer = await pool.request({ method: "POST", path: "/mcp", headers, body: Buffer.concat(chunks) });
      const body = Buffer.from(await answer.body.arrayBuffer());
      response.writeHead(answer.statusCode, { "content-type": "application/json", "content-length": body.length });
      response.end(body);
    }),
  );
};

const sdk = async () => {
  const client = new Client({ name: "proxy", version: "1" }, { versionNegotiation: { mode: "auto" } });
  await client.connect(new StreamableHTTPClientTransport(new URL(upstream)));
  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: "proxy", version: "1" });
    server.registerTool("read", { inputSchema: z.object({ id: z.string() }) }, (args) =>
      client.callTool({ name: "read", arguments: args }),
    );
    return server;
  });
  return `${(await serve({ fetch: (request) => handler.fetch(request), drain: async () => {} })).url}/mcp`;
};

const SECRET = "a-secret-token-of-the-tickets";
const redactor: Redactor = {
  redact: <T>(value: T): T =>
    (typeof value === "string"
      ? value.replaceAll(SECRET, "[redacted]")
      : Object.fromEntries(
          Object.entries(value as object).map(([k, v]) => [k, String(v).replaceAll(SECRET, "[redacted]")]),
        )) as T,
  stream: () => new TransformStream(),
};

async function gateway(full: boolean): Promise<string> {
  const audit: object[] = [];
  const made = new Gateway({
    authenticator: new JwtAuthenticator({
      issuer: "https://login.example",
      audience: "https://gateway.example/mcp",
      jwksUri: "https://login.example/keys",
      principal: ({ sub }) => ({ tenant: "acme", user: String(sub) }),
      fetch: async () => Response.json(JSON.parse(process.env.BENCH_JWKS ?? "{}")),
    }),
    targets: [mcpTarget({ name: "tickets", url: upstream, ...(full ? { auth: { credentialRef: "tickets" } } : {}) })],
    allow: [new URL(upstream).host],
    limits: { rules: [{ name: "calls", per: ["tenant"], quota: { limit: 1_000_000, windowMs: 1000 } }] },
    ...(full
      ? {
          permissions: {
            async decide(context, request) {
              if (audit.push({ at: Date.now(), context: context.principal, request }) > 1000) audit.length = 0;
              return { effect: "allow" as const, reason: "benchmark" };
            },
          },
          injector: {
            inject: async (_, __, request) => ({
              request: { ...request, headers: { ...request.headers, authorization: `Bearer ${SECRET}` } },
              redactor,
            }),
          },
        }
      : {}),
  });
  return `${(await serve(made)).url}/mcp`;
}

const kinds: Readonly<Record<string, () => Promise<string>>> = {
  raw,
  bytes,
  sdk,
  light: () => gateway(false),
  full: () => gateway(true),
  upstream: async () =>
    `${(await serve({ fetch: (request) => upstreamHandler.fetch(request), drain: async () => {} })).url}/mcp`,
};
const upstreamHandler = createMcpHandler(() => {
  const server = new McpServer({ name: "tickets", version: "1" });
  server.registerTool("read", { inputSchema: z.object({ id: z.string() }) }, ({ id }) => ({
    content: [{ type: "text", text: `${id} is open` }],
  }));
  return server;
});
console.log(await kinds[kind]?.());
