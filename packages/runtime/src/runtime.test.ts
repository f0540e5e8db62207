import { afterEach, expect, test } from "vitest";
import type { Agent } from "./agent.ts";
import { InMemorySessionLog, InMemoryWorkQueue } from "./in-memory/index.ts";
import { Runtime } from "./runtime.ts";
import type { SessionEvent } from "./session-event.ts";

const context = { principal: { tenant: "acme", user: "ann" } };
const runtimes: Runtime[] = [];
afterEach(() => Promise.all(runtimes.splice(0).map((runtime) => runtime.close())));

function engine() {
  const stores = { log: new InMemorySessionLog(), queue: new InMemoryWorkQueue() };
  return {
    ...stores,
    async start(...agents: Agent[]): Promise<Runtime> {
      const runtime = new Runtime({ ...stores, agents, sweepMs: 20 });
      runtimes.push(runtime);
      await runtime.start();
      return runtime;
    },
  };
}

async function until(runtime: Runtime, session: string, type: string, after = 0): Promise<SessionEvent> {
  for await (const event of runtime.sessions.events(context, session, { after })) {
    if (event.type === type && event.seq !== undefined) return event;
  }
  throw new Error(`The session ended without ${type}.`);
}

async function ask(runtime: Runtime, agent: string, body: string | null = null): Promise<string> {
  const { id } = await runtime.sessions.open(context, { agent });
  await runtime.sessions.send(context, id, { type: "user.message", body });
  return id;
}

const types = async (runtime: Runtime, id: string) =>
  (await runtime.records.events(context, id)).items.map(({ type }) => type);

test("a turn answers its input and the session idles", async () => {
  const runtime = await engine().start({
    name: "echo",
    async run(session, { body }) {
      const said = await session.step("say", async () => `you said ${body}`);
      await session.emit("agent.message", { text: said });
      return said;
    },
  });
  const id = await ask(runtime, "echo", "hello");
  await until(runtime, id, "session.status_idle");
  expect(await types(runtime, id)).toEqual([
    "session.created",
    "user.message",
    "turn.started",
    "step.started",
    "step.completed",
    "agent.message",
    "turn.completed",
    "session.status_idle",
  ]);
});

test("after a drain in mid-turn another worker goes on: recorded steps are not run again", async () => {
  const { start } = engine();
  const ran: string[] = [];
  const agent = (hang: boolean): Agent => ({
    name: "two",
    async run(session) {
      await session.step("first", async () => ran.push("first"));
      await session.step("second", async ({ signal, idempotencyKey, attempt }) => {
        ran.push(`second ${attempt} ${idempotencyKey.split(":").slice(1).join(":")}`);
        if (hang) await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
        return null;
      });
    },
  });
  const first = await start(agent(true));
  const id = await ask(first, "two");
  await expect.poll(() => ran.length).toBe(2);
  await first.close();
  const second = await start(agent(false));
  await until(second, id, "session.status_idle");
  expect(ran).toEqual(["first", "second 1 1:second", "second 2 1:second"]);
});

test("a second message in mid-turn is queued and gets a turn of its own", async () => {
  let release: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const seen: unknown[] = [];
  const runtime = await engine().start({
    name: "slow",
    async run(_session, { body }) {
      seen.push(body);
      if (body === "one") await gate;
    },
  });
  const id = await ask(runtime, "slow", "one");
  await expect.poll(() => seen.length).toBe(1);
  const { seq } = await runtime.sessions.send(context, id, { type: "user.message", body: "two" });
  release();
  await until(runtime, id, "session.status_idle", seq);
  expect(seen).toEqual(["one", "two"]);
});

test("an approval frees the process; the first answer counts, the second is a conflict", async () => {
  const runtime = await engine().start({
    name: "asks",
    async run(session) {
      const { allow } = await session.ask("pay", { action: "refund", resource: "ch_1" });
      await session.emit("agent.message", { allow });
    },
  });
  const id = await ask(runtime, "asks");
  const { seq } = await until(runtime, id, "session.status_waiting");
  const requested = (await runtime.records.events(context, id)).items.find(({ type }) => type === "approval.requested");
  const { request } = (requested?.body ?? {}) as { request: string };
  await runtime.sessions.answer(context, id, request, { allow: true });
  const again = runtime.sessions.answer(context, id, request, { allow: false });
  await expect(again).rejects.toMatchObject({ code: "RUNTIME_CONFLICT" });
  expect((await until(runtime, id, "agent.message", seq)).body).toEqual({ allow: true });
});

test("an interrupt ends the turn and not the session; a kill ends the session and fences its owner", async () => {
  const started: AbortSignal[] = [];
  const runtime = await engine().start({
    name: "busy",
    async run(session) {
      started.push(session.signal);
      await new Promise((_, reject) => session.signal.addEventListener("abort", () => reject(session.signal.reason)));
    },
  });
  const id = await ask(runtime, "busy");
  await expect.poll(() => started.length).toBe(1);
  await runtime.sessions.interrupt(context, id);
  const { seq } = await until(runtime, id, "session.status_idle");
  await runtime.sessions.send(context, id, { type: "user.message", body: null });
  await expect.poll(() => started.length).toBe(2);
  await runtime.sessions.kill(context, id);
  expect((await until(runtime, id, "session.ended", seq)).body).toMatchObject({ killed: true });
  await expect(runtime.sessions.send(context, id, { type: "user.message", body: null })).rejects.toMatchObject({
    kind: "conflict",
  });
});

test("a fork with recorded effects repeats none, and refuses one that was never made", async () => {
  let effects = 0;
  const agent = (version: string, step: string): Agent => ({
    name: "pays",
    version,
    async run(session) {
      await session.emit(
        "agent.message",
        await session.step(step, async () => ({ paid: ++effects }), { arguments: { charge: "ch_1" } }),
      );
    },
  });
  const runtime = await engine().start(agent("1", "refund"), agent("2", "other"));
  const { id } = await runtime.sessions.open(context, { agent: "pays", qualifier: "1" });
  await runtime.sessions.send(context, id, { type: "user.message", body: "go" });
  await until(runtime, id, "session.status_idle");
  const { items } = await runtime.records.events(context, id);
  const afterSeq = items.find(({ type }) => type === "turn.started")?.seq ?? 0;

  const same = await runtime.sessions.fork(context, id, { afterSeq, effects: "recorded" });
  expect((await until(runtime, same.id, "agent.message")).body).toEqual({ paid: 1 });
  const other = await runtime.sessions.fork(context, id, { afterSeq, effects: "recorded", agentVersion: "2" });
  expect((await until(runtime, other.id, "session.error")).body).toMatchObject({ code: "RUNTIME_DENIED" });
  expect(effects).toBe(1);
});

test("sessions of another tenant do not exist", async () => {
  const runtime = await engine().start({ name: "echo", run: async () => {} });
  const id = await ask(runtime, "echo");
  const foreign = { principal: { tenant: "other" } };
  await expect(runtime.sessions.get(foreign, id)).rejects.toMatchObject({ kind: "not_found" });
  await expect(runtime.sessions.kill(foreign, id)).rejects.toMatchObject({ kind: "not_found" });
  expect((await runtime.records.list(foreign)).items).toEqual([]);
});
