import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { functionsTarget, Gateway } from "@ashlar/gateway";
import { nodeListener } from "@ashlar/gateway/node";
import Fastify from "fastify";

const gateway = new Gateway({
  authenticator: {
    async authenticate(request) {
      const header = request.headers.get("authorization");
      return header === "Bearer demo" ? { tenant: "acme" } : undefined;
    },
  },
  targets: [
    functionsTarget({
      name: "clock",
      tools: { now: { inputSchema: { type: "object" }, run: async () => new Date(0).toISOString() } },
    }),
  ],
});

const app = Fastify();
const listener = nodeListener(gateway);
app.get("/own", async () => "the app's own route");
// The gateway reads the body itself: in its scope nothing is parsed.
await app.register(async (scope) => {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser("*", (_request, _payload, done) => done(null));
  scope.all("/*", async (request, reply) => {
    reply.hijack();
    listener(request.raw, reply.raw);
  });
});

await app.listen({ port: 0, host: "127.0.0.1" });
const { port } = app.server.address() as AddressInfo;

const ask = (headers: Record<string, string>) =>
  fetch(`http://127.0.0.1:${port}/mcp`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "now", arguments: {} } }),
  });
assert.equal((await ask({})).status, 401);
const answer = await (await ask({ authorization: "Bearer demo" })).json();
console.log(answer);
assert.equal(Object(answer).result.content[0].text, "1970-01-01T00:00:00.000Z");
assert.equal(await (await fetch(`http://127.0.0.1:${port}/own`)).text(), "the app's own route");

await app.close();
await gateway.close();
