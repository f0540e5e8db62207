import { once } from "node:events";
import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { AgentClient } from "../client/index.ts";
import { bearers } from "../fixtures/parts.ts";
import { type Caller, Gateway, type GatewayDeps } from "../index.ts";
import { serve } from "../node/index.ts";
import { openApiTarget } from "../openapi/index.ts";
import { InMemoryAgentSessions } from "../testing/in-memory-agent-sessions.ts";
import { ManualClock } from "../testing/index.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const echo = (input: unknown) => `you said ${JSON.stringify(input)}`;

async function stack(extra: Partial<GatewayDeps> = {}) {
  const sessions = new InMemoryAgentSessions({ echo, secret: () => "gold" });
  const gateway = new Gateway({
    authenticator: bearers({ ann: { tenant: "acme", user: "ann" }, eve: { tenant: "globex" } }),
    agents: sessions,
    ...extra,
  });
  const server = await serve(gateway);
  closing.push(
    () => gateway.close(),
    () => server.close({ graceMs: 0 }),
  );
  const client = new AgentClient({ url: `${server.url}/agents`, headers: () => ({ authorization: "Bearer ann" }) });
  return { gateway, server, sessions, client };
}

async function socket(url: string, path: string, headers: Record<string, string> = { authorization: "Bearer ann" }) {
  const opened = new WebSocket(url.replace("http", "ws") + path, { headers });
  closing.push(() => opened.terminate());
  const heard: Record<string, unknown>[] = [];
  let wake = () => {};
  opened.on("message", (data) => {
    heard.push(JSON.parse(String(data)) as Record<string, unknown>);
    wake();
  });
  const until = async (fits: (message: Record<string, unknown>) => boolean) => {
    while (!heard.some(fits)) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return heard.find(fits) ?? {};
  };
  const refused = new Promise<number>((resolve) => {
    opened.on("unexpected-response", (_, response) => resolve(response.statusCode ?? 0));
    opened.on("error", () => {});
  });
  return { opened, heard, until, refused, say: (message: unknown) => opened.send(JSON.stringify(message)) };
}

test("a socket names its session, answers each message, and brings the events", async () => {
  const { server } = await stack();
  const { until, say, heard } = await socket(server.url, "/agents/echo/socket?externalId=x&deltas=false");
  const { session } = await until(({ op }) => op === "session");
  say({ op: "send", id: "1", idempotencyKey: "k", type: "user.message", body: { content: "a" } });
  say({ op: "send", id: "2", idempotencyKey: "k", type: "user.message", body: { content: "a" } });
  await until(({ id }) => id === "2");
  await until(({ type }) => type === "session.status_idle");
  expect(heard.filter(({ op }) => op === "done")).toEqual([
    { op: "done", id: "1", seq: 1 },
    { op: "done", id: "2", seq: 1 },
  ]);
  expect(heard.filter(({ op }) => op === "event").map(({ seq, type }) => [seq, type])).toEqual([
    [1, "user.message"],
    [2, "agent.message"],
    [3, "session.status_idle"],
  ]);
  const again = await socket(server.url, `/agents/echo/socket?session=${session}&after=2&deltas=false`);
  expect(await again.until(({ op }) => op === "event")).toMatchObject({ seq: 3 });
});

test("what is wrong on a socket is answered there, and the socket goes on", async () => {
  const { server } = await stack();
  const { until, say, opened } = await socket(server.url, "/agents/echo/socket");
  await until(({ op }) => op === "session");
  opened.send("{");
  say({ op: "fly", id: "1" });
  opened.send('{"op":"send","id":"2","type":"t","body":{"a":1,"a":2}}');
  say({ op: "stop", id: "3" });
  expect(await until(({ op }) => op === "error")).toMatchObject({ code: "GATEWAY_INVALID", kind: "invalid" });
  expect(await until(({ id }) => id === "3")).toEqual({ op: "done", id: "3" });
  const [code] = (await once(opened, "close")) as [number];
  expect(code).toBe(1000);
});

test.each([
  ["no credentials", "/agents/echo/socket", {}, 401],
  ["a page of another origin", "/agents/echo/socket", { authorization: "Bearer ann", origin: "https://evil" }, 403],
  ["another tenant's session", "/agents/echo/socket?session=ses_1", { authorization: "Bearer eve" }, 404],
  ["an agent that is not there", "/agents/none/socket", { authorization: "Bearer ann" }, 404],
  ["an address that is no socket", "/mcp", { authorization: "Bearer ann" }, 404],
])("a socket is refused with an HTTP answer: %s", async (_, path, headers, status) => {
  const { server, client } = await stack();
  await client.agent("echo").open();
  const { refused } = await socket(server.url, path, headers as never);
  expect(await refused).toBe(status);
});

test("a socket ends with its credential, and with the gateway", async () => {
  const clock = new ManualClock();
  const caller: Caller = { tenant: "acme", expiresAt: clock.now() + 1000 };
  const { server, gateway } = await stack({ authenticator: bearers({ ann: caller }), clock });
  const first = await socket(server.url, "/agents/echo/socket");
  await first.until(({ op }) => op === "session");
  const ended = once(first.opened, "close");
  await clock.advance(1000);
  expect((await ended)[0]).toBe(1008);
  const second = await socket(server.url, "/agents/echo/socket");
  await second.until(({ op }) => op === "session");
  const left = once(second.opened, "close");
  await gateway.drain();
  expect((await left)[0]).toBe(1001);
});

test("the client invokes, streams, and keeps a session, typed by the gateway's schemas", async () => {
  const { client } = await stack();
  const agent = client.agent<string, string>("echo");
  expect(await agent.invoke("hi")).toMatchObject({ output: 'you said "hi"', status: "session.status_idle" });
  const types = [];
  for await (const { type } of agent.stream("hi")) types.push(type);
  expect(types).toEqual(["agent.delta", "agent.message", "session.status_idle"]);
  const session = await agent.open({ externalId: "x" });
  expect(await session.send({ type: "user.message", body: { content: 1 } })).toEqual({ seq: 1 });
  await session.interrupt();
  await session.stop();
  const all = [];
  for await (const { seq } of session.events({ after: 1, deltas: false })) all.push(seq);
  expect(all).toEqual([2, 3]);
  await expect(client.agent("none").invoke("x")).rejects.toMatchObject({ status: 404, kind: "not_found" });
});

test("the client takes a broken stream up where it was, without loss or repeat", async () => {
  const { server } = await stack();
  let broken = 0;
  const client = new AgentClient({
    url: `${server.url}/agents`,
    headers: () => ({ authorization: "Bearer ann" }),
    clock: { now: () => 0, sleep: async () => {} },
    fetch: async (...args) => {
      const response = await fetch(...args);
      if (response.headers.get("content-type") !== "text/event-stream" || broken++ > 0) return response;
      return new Response(brokenAfter(response.body ?? new ReadableStream(), "id: 2"), response);
    },
  });
  const seen = [];
  for await (const { seq } of client.agent("echo").stream("hi")) if (seq !== undefined) seen.push(seq);
  expect(seen).toEqual([2, 3]);
  expect(broken).toBe(2);
});

/** Gives all up to the end of the event with `mark`, then breaks like a lost connection. */
function brokenAfter(source: ReadableStream<Uint8Array>, mark: string): ReadableStream<Uint8Array> {
  const reader = source.getReader();
  let text = "";
  let given = 0;
  return new ReadableStream({
    async pull(controller) {
      while (!/\n\n/.test(text.slice(Math.max(0, text.indexOf(mark))))) {
        text += new TextDecoder().decode((await reader.read()).value);
      }
      const end = text.indexOf("\n\n", text.indexOf(mark)) + 2;
      if (given > 0) return controller.error(new TypeError("terminated"));
      given = end;
      controller.enqueue(new TextEncoder().encode(text.slice(0, end)));
    },
    cancel: () => reader.cancel(),
  });
}

test("the OpenAPI document names the caller's agents, and our own importer calls them by it", async () => {
  const { server, gateway } = await stack({
    permissions: {
      decide: async (_, { resource }) => ({ effect: resource === "secret" ? "deny" : "allow", reason: "test" }),
    },
  });
  const answer = await gateway.fetch(
    new Request("http://x/agents/openapi.json", { headers: { authorization: "Bearer ann" } }),
  );
  const document = (await answer.json()) as { paths: Record<string, object> };
  expect(Object.keys(document.paths)).toEqual([
    "/agents",
    "/agents/echo/invoke",
    "/agents/echo/stream",
    "/agents/echo/sessions",
    "/agents/echo/sessions/{session}/messages",
    "/agents/echo/sessions/{session}/events",
    "/agents/echo/sessions/{session}/interrupt",
    "/agents/echo/sessions/{session}/stop",
    "/agents/echo/socket",
  ]);
  const other = new Gateway({
    authenticator: bearers({}),
    injector: {
      inject: async (_, reference, request) => ({
        request: { ...request, headers: { ...request.headers, authorization: `Bearer ${reference}` } },
        redactor: { redact: (value) => value, stream: () => new TransformStream() },
      }),
    },
    targets: [openApiTarget({ name: "agents", document, baseUrl: server.url, auth: { credentialRef: "ann" } })],
    allow: [new URL(server.url).host],
  });
  closing.push(() => other.close());
  const context = { principal: { tenant: "acme" } };
  const invoked = await other.tools.call(context, "invoke_echo", { body: { input: "hi" } });
  expect(invoked.structuredContent).toMatchObject({ output: 'you said "hi"' });
  await expect(other.tools.call(context, "invoke_echo", { body: { inputs: 1 } })).rejects.toMatchObject({
    kind: "invalid",
  });
});

test("agents are published under other names, replaced and withdrawn while the gateway runs", async () => {
  const { gateway, client } = await stack({ publications: { support: { agent: "echo", description: "Helps" } } });
  const names = async () => (await client.list()).items.map(({ name, description }) => [name, description]);
  expect(await names()).toEqual([["support", "Helps"]]);
  const session = await client.agent("support").open();
  gateway.publishAgent("support", { agent: "secret" });
  expect(await client.agent("support").invoke("x")).toMatchObject({ output: "gold" });
  await expect(client.agent("support").session(session.id).interrupt()).rejects.toMatchObject({ status: 404 });
  await expect(client.agent("echo").invoke("x")).rejects.toMatchObject({ status: 404 });
  expect(gateway.withdrawAgent("support")).toBe(true);
  expect(gateway.withdrawAgent("support")).toBe(false);
  expect(await names()).toEqual([]);
  expect(() => gateway.publishAgent("../x")).toThrow(/published as/);
});
