/** A published API document becomes MCP tools: called by the official client through auth, policy and injection. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type CredentialInjector, Gateway, type InboundAuthenticator, type Permissions } from "@ashlar/gateway";
import { serve } from "@ashlar/gateway/node";
import { openApiTarget } from "@ashlar/gateway/openapi";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const SECRET = "the-key-that-only-the-vault-knows";

// The company's copy of the API. It wants a key, and gives it away in its answers.
const api = createServer((request, response) => {
  response.setHeader("content-type", "application/json");
  if (request.headers.authorization !== `Bearer ${SECRET}`) return response.writeHead(401).end();
  const num = Number(request.url?.split("/")[1]);
  return response.end(JSON.stringify({ num, title: "Exploits of a Mom", debug: request.headers.authorization }));
}).listen(0, "127.0.0.1");
await new Promise((resolve) => api.once("listening", resolve));
const { port } = api.address() as AddressInfo;

const authenticator: InboundAuthenticator = {
  authenticate: async (request) =>
    request.headers.get("authorization") === "Bearer ann" ? { tenant: "acme", user: "ann" } : undefined,
};
const permissions: Permissions = {
  async decide(_context, request) {
    const blocked = JSON.stringify(request.arguments) === '{"comicId":404}';
    return blocked ? { effect: "deny", reason: "comic 404 does not exist" } : { effect: "allow", reason: "reading" };
  },
};
const hide = (text: string): string => text.replaceAll(SECRET, "[redacted]");
const injector: CredentialInjector = {
  inject: async (_context, reference, request) => ({
    request: {
      ...request,
      headers: { ...request.headers, authorization: `Bearer ${reference === "comics" ? SECRET : ""}` },
    },
    redactor: {
      redact: <T>(value: T): T => JSON.parse(hide(JSON.stringify(value))) as T,
      stream: () => new TransformStream(),
    },
  }),
};

const gateway = new Gateway({
  authenticator,
  permissions,
  injector,
  targets: [
    openApiTarget({
      name: "xkcd",
      document: await readFile(new URL("xkcd.json", import.meta.url), "utf8"),
      baseUrl: `http://127.0.0.1:${port}/`,
      auth: { credentialRef: "comics" },
    }),
  ],
  allow: [`127.0.0.1:${port}`],
});
const server = await serve(gateway);

const client = new Client({ name: "example", version: "1" }, { versionNegotiation: { mode: "auto" } });
await client.connect(
  new StreamableHTTPClientTransport(new URL(`${server.url}/mcp`), {
    requestInit: { headers: { authorization: "Bearer ann" } },
  }),
);
const { tools } = await client.listTools();
console.log("tools:", tools.map(({ name }) => name).join(", "));
assert.equal(tools.length, 2);

const read = tools.find(({ inputSchema }) => Object.hasOwn(inputSchema.properties ?? {}, "comicId"))?.name ?? "";
const comic = JSON.stringify(await client.callTool({ name: read, arguments: { comicId: 327 } }));
console.log("comic 327:", comic);
assert.ok(comic.includes("Exploits of a Mom") && !comic.includes(SECRET) && comic.includes("[redacted]"));

const refused = await client.callTool({ name: read, arguments: { comicId: 404 } });
console.log("comic 404:", JSON.stringify(refused.content));
assert.equal(refused.isError, true);

await assert.rejects(client.callTool({ name: read, arguments: { comicId: "../admin" } }), /must be number/);
assert.equal((await fetch(`${server.url}/mcp`, { method: "POST", body: "{}" })).status, 401);

await client.close();
await server.close({ graceMs: 1000 });
await gateway.close();
api.close();
console.log("ok");
