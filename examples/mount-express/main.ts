import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { functionsTarget, Gateway } from "@ashlar/gateway";
import { nodeListener } from "@ashlar/gateway/node";
import express from "express";

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

const app = express();
app.get("/own", (_, response) => response.send("the app's own route"));
// Before any body parser: the gateway reads the body itself.
app.use(nodeListener(gateway));

const server = createServer(app).listen(0, "127.0.0.1");
await once(server, "listening");
const { port } = server.address() as AddressInfo;

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

server.close();
await gateway.close();
