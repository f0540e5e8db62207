import { expect, test } from "vitest";
import { bearers } from "../fixtures/parts.ts";
import { readSse, type ServerSentEvent } from "../http/sse.ts";
import { Gateway, type GatewayDeps } from "../index.ts";
import { InMemoryAgentSessions } from "../testing/in-memory-agent-sessions.ts";

const gateway = (extra: Partial<GatewayDeps> = {}) =>
  new Gateway({
    authenticator: bearers({ caller: { tenant: "acme" }, other: { tenant: "globex" } }),
    agents: new InMemoryAgentSessions({ echo: (input) => `you said ${JSON.stringify(input)}` }),
    ...extra,
  });

const request = (path: string, body?: unknown, headers: Record<string, string> = {}) =>
  new Request(`http://gateway${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: "Bearer caller", ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

test("invoke waits for the agent's answer and names the session", async () => {
  const response = await gateway().fetch(request("/agents/echo/invoke", { input: "hello" }));
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ output: 'you said "hello"', status: "session.status_idle", seq: 3 });
});

test("a stream ends when the agent is done, and Last-Event-ID resumes without loss or repeat", async () => {
  const door = gateway();
  const response = await door.fetch(request("/agents/echo/stream", { input: "a" }));
  const events: ServerSentEvent[] = [];
  for await (const event of readSse(response.body ?? new ReadableStream())) events.push(event);
  expect(events.map(({ event, id }) => [event, id])).toEqual([
    ["agent.delta", undefined],
    ["agent.message", "2"],
    ["session.status_idle", "3"],
  ]);
  const again = await door.fetch(
    request(`${response.headers.get("location")}&deltas=false`, undefined, { "last-event-id": "2" }),
  );
  const resumed = readSse(again.body ?? new ReadableStream());
  expect((await resumed.next()).value).toMatchObject({ id: "3", event: "session.status_idle" });
  await resumed.return(undefined);
});

test("sessions are opened once per externalId, take messages, and are interrupted and stopped", async () => {
  const door = gateway();
  const open = async () => (await door.fetch(request("/agents/echo/sessions", { externalId: "x" }))).json();
  const first = (await open()) as { id: string };
  expect(await open()).toEqual(first);
  const base = `/agents/echo/sessions/${first.id}`;
  const sent = await door.fetch(request(`${base}/messages`, { type: "user.message", body: { content: 1 } }));
  expect([sent.status, await sent.json()]).toEqual([202, { seq: 1 }]);
  expect((await door.fetch(request(`${base}/interrupt`, {}))).status).toBe(202);
  expect((await door.fetch(request(`${base}/stop`, { graceMs: 5 }))).status).toBe(202);
});

test("another tenant's session is not found", async () => {
  const door = gateway();
  const { id } = (await (await door.fetch(request("/agents/echo/sessions", {}))).json()) as { id: string };
  const stolen = await door.fetch(
    request(`/agents/echo/sessions/${id}/messages`, { type: "t", body: 1 }, { authorization: "Bearer other" }),
  );
  expect(stolen.status).toBe(404);
});

test.each([
  ["no JSON", "{"],
  ["a wrong shape", '{"inputs":1}'],
  ["one key twice", '{"input":1,"input":2}'],
  ["a key named __proto__", '{"input":{"__proto__":{}}}'],
  ["nesting without end", `{"input":${"[".repeat(200)}${"]".repeat(200)}}`],
])("%s is a 400 that says what is wrong", async (_, body) => {
  const response = await gateway().fetch(
    new Request("http://gateway/agents/echo/invoke", {
      method: "POST",
      headers: { authorization: "Bearer caller" },
      body,
    }),
  );
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ kind: "invalid", detail: expect.stringMatching(/body/i) });
});

test("a refused agent is neither listed nor invoked", async () => {
  const door = gateway({ permissions: { decide: async () => ({ effect: "deny", reason: "closed" }) } });
  expect(await (await door.fetch(request("/agents"))).json()).toEqual({ items: [] });
  expect((await door.fetch(request("/agents/echo/invoke", { input: 1 }))).status).toBe(403);
});
