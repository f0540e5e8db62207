import { expect, test } from "vitest";
import { hostile } from "../../../test/support/hostile.ts";
import { AgentCatalog } from "./agent-catalog.ts";
import { loopAgents } from "./ai/index.ts";
import type { CallContext, Json } from "./dialect.ts";
import { scripted } from "./fixtures/scripted-model.ts";
import { ask, context, start, typesOf, until } from "./fixtures/stage.ts";
import { InMemoryCatalog, InMemorySessionLog } from "./in-memory/index.ts";
import type { NewSession } from "./session-log.ts";

/** The list of bad input, each with the same call where it is good. */
const echo = { name: "echo", version: "2", run: async () => {} };
const stranger: CallContext = { principal: { tenant: "globex" } };

async function opened() {
  const runtime = await start([echo]);
  const { id } = await runtime.sessions.open(context, { agent: "echo" });
  const send = (body: Json, at: CallContext = context) => runtime.sessions.send(at, id, { type: "user.message", body });
  return { runtime, id, send };
}

hostile("an unknown agent, and an unknown version of a known one", {
  control: "the known one in its version opens a session",
  async unguarded() {
    const { runtime } = await opened();
    expect(await runtime.sessions.open(context, { agent: "echo", qualifier: "2" })).toMatchObject({ status: "idle" });
  },
  async guarded() {
    const { runtime } = await opened();
    const before = (await runtime.sessions.find(context)).items.length;
    for (const bad of [{ agent: "nobody" }, { agent: "echo", qualifier: "9" }, { agent: "echo", qualifier: "live" }]) {
      await expect(runtime.sessions.open(context, bad)).rejects.toMatchObject({ code: "RUNTIME_NOT_FOUND" });
    }
    expect((await runtime.sessions.find(context)).items).toHaveLength(before);
  },
});

hostile("a payload over the limit", {
  control: "one of a megabyte is taken",
  async unguarded() {
    const { send } = await opened();
    expect(await send("x".repeat(1 << 20))).toMatchObject({ seq: 2 });
  },
  async guarded() {
    const { runtime, id, send } = await opened();
    await expect(send("x".repeat(100_000_000))).rejects.toMatchObject({ code: "RUNTIME_TOO_LARGE", kind: "invalid" });
    expect(await typesOf(runtime, id)).toEqual(["session.created"]);
  },
});

hostile("a session id in use", {
  control: "another id is taken",
  async unguarded() {
    const log = new InMemorySessionLog();
    await log.create(context, sessionOf("ses_1"));
    expect((await log.create(context, sessionOf("ses_2"))).created).toBe(true);
  },
  async guarded() {
    const log = new InMemorySessionLog();
    await log.create(context, sessionOf("ses_1"));
    for (const at of [context, stranger]) {
      await expect(log.create(at, sessionOf("ses_1"))).rejects.toMatchObject({ code: "RUNTIME_SESSION_EXISTS" });
    }
    expect(await log.get(stranger, "ses_1")).toBeUndefined();
  },
});

const sessionOf = (id: string): NewSession => ({
  ...{ id, agent: "a", agentVersion: "1", status: "idle", metadata: {}, state: {}, at: 1 },
  events: [],
});

hostile("an event for an ended session", {
  control: "before it ended the same event was taken",
  async unguarded() {
    const { send } = await opened();
    expect(await send({})).toMatchObject({ seq: 2 });
  },
  async guarded() {
    const { runtime, id, send } = await opened();
    await runtime.sessions.kill(context, id);
    const { head } = await runtime.sessions.get(context, id);
    await expect(send({})).rejects.toMatchObject({ code: "RUNTIME_SESSION_ENDED", kind: "conflict" });
    const late = [() => runtime.sessions.signal(context, id, "go"), () => runtime.sessions.interrupt(context, id)];
    for (const call of late) await expect(call()).rejects.toMatchObject({ code: "RUNTIME_SESSION_ENDED" });
    expect((await runtime.sessions.get(context, id)).head).toBe(head);
  },
});

hostile("a message to a session of another tenant", {
  control: "its own tenant's message is taken",
  async unguarded() {
    const { send } = await opened();
    expect(await send({})).toMatchObject({ seq: 2 });
  },
  async guarded() {
    const { runtime, id, send } = await opened();
    await expect(send({}, stranger)).rejects.toMatchObject({ code: "RUNTIME_NOT_FOUND" });
    const others = [
      () => runtime.sessions.stop(stranger, id),
      () => runtime.sessions.fork(stranger, id, { afterSeq: 1, effects: "live" }),
      () => runtime.sessions.check(stranger, id),
      () => runtime.sessions.delete(stranger, id),
      () => runtime.sessions.park(stranger, id),
      () => runtime.sessions.toolResult(stranger, id, "1:call", { content: [] }),
    ];
    for (const call of others) await expect(call()).rejects.toMatchObject({ code: "RUNTIME_NOT_FOUND" });
    expect(await typesOf(runtime, id)).toEqual(["session.created"]);
  },
});

hostile("a definition that does not parse", {
  control: "a document store takes whatever it is given",
  async unguarded() {
    const documents = new InMemoryCatalog();
    await documents.put(context, "agent", "a", { system: 7, model: "none" });
    expect(await documents.get(context, "agent", "a")).toBeDefined();
  },
  async guarded() {
    const documents = new InMemoryCatalog();
    const factory = loopAgents({ models: { one: scripted({ say: "" }) } });
    const agents = new AgentCatalog({ catalog: documents, factory });
    const bad = agents.put(context, "a", { system: 7, model: "one" });
    await expect(bad).rejects.toMatchObject({ code: "RUNTIME_INVALID", message: expect.stringContaining("system") });
    expect(await documents.get(context, "agent", "a")).toBeUndefined();
    await documents.put(context, "agent", "a", { system: 7, model: "one" });
    const runtime = await start([], { agentSource: agents });
    await expect(runtime.sessions.open(context, { agent: "a" })).rejects.toMatchObject({ code: "RUNTIME_INVALID" });
  },
});

hostile("an agent that throws what is no error", {
  control: "thrown by a function of ours, such a thing has neither code nor message",
  async unguarded() {
    const thrown = await Promise.reject("just text").catch((error: unknown) => error);
    expect((thrown as { message?: unknown }).message).toBeUndefined();
  },
  async guarded() {
    const runtime = await start([{ name: "throws", run: (): Promise<void> => Promise.reject("just text") }]);
    const id = await ask(runtime, "throws");
    expect((await until(runtime, id, "turn.failed")).body).toEqual({ code: "UNKNOWN", message: "just text" });
    await until(runtime, id, "session.status_idle");
  },
});

test("an agent's result that JSON cannot hold fails the turn, and says why", async () => {
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  const runtime = await start([
    { name: "cycles", run: (session) => session.step<Json>("s", async () => cycle as Json) },
  ]);
  const id = await ask(runtime, "cycles");
  expect((await until(runtime, id, "turn.failed")).body).toMatchObject({ code: "RUNTIME_INVALID" });
});
