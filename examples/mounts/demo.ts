import assert from "node:assert/strict";
import { functionsTarget, Gateway } from "@ashlar/gateway";

/** One gateway with one tool, and a caller who must say who they are. */
export const demoGateway = (): Gateway =>
  new Gateway({
    authenticator: {
      async authenticate(request) {
        return request.headers.get("authorization") === "Bearer demo" ? { tenant: "acme" } : undefined;
      },
    },
    targets: [
      functionsTarget({
        name: "clock",
        tools: { now: { inputSchema: { type: "object" }, run: async () => new Date(0).toISOString() } },
      }),
    ],
  });

/** Calls the tool without and with the token, and the app's own route beside it. */
export async function tryOut(origin: string): Promise<void> {
  const call = (headers: Record<string, string>) =>
    fetch(`${origin}/mcp`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "now", arguments: {} } }),
    });
  assert.equal((await call({})).status, 401);
  const answer = await (await call({ authorization: "Bearer demo" })).json();
  const { text } = Object(answer).result.content[0];
  console.log(text);
  assert.equal(text, "1970-01-01T00:00:00.000Z");
  assert.equal(await (await fetch(`${origin}/own`)).text(), "the app's own route");
}
