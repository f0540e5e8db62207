import { afterEach, expect, test } from "vitest";
import type { Agent } from "./agent.ts";
import { InMemorySessionLog, InMemoryWorkQueue } from "./in-memory/index.ts";
import { Runtime, type RuntimeDeps } from "./runtime.ts";
import type { Session } from "./session.ts";
import type { SessionEvent } from "./session-event.ts";

const context = { principal: { tenant: "acme", user: "ann" } };
const runtimes: Runtime[] = [];
afterEach(() => Promise.all(runtimes.splice(0).map((runtime) => runtime.close())));

async function start(agents: Agent[], more: Partial<RuntimeDeps> = {}): Promise<Runtime> {
  const stores = { log: new InMemorySessionLog(), queue: new InMemoryWorkQueue() };
  const runtime = new Runtime({ ...stores, agents, sweepMs: 10, ...more });
  runtimes.push(runtime);
  await runtime.start();
  return runtime;
}

async function until(runtime: Runtime, session: string, type: string, after = 0): Promise<SessionEvent> {
  for await (const event of runtime.sessions.events(context, session, { after })) {
    if (event.type === type && event.seq !== undefined) return event;
  }
  throw new Error(`The session ended without ${type}.`);
}

async function ask(runtime: Runtime, agent: string, qualifier = "1"): Promise<string> {
  const { id } = await runtime.sessions.open(context, { agent, qualifier });
  await runtime.sessions.send(context, id, { type: "user.message", body: "go" });
  return id;
}

test("a parked turn is cut off at once and goes on from its record when it is requeued", async () => {
  const ran: string[] = [];
  const runtime = await start([
    {
      name: "parks",
      async run(session) {
        await session.step("first", async () => ran.push("first"));
        if (ran.push("body") > 2) return;
        await new Promise((_, reject) => session.signal.addEventListener("abort", () => reject(session.signal.reason)));
      },
    },
  ]);
  const id = await ask(runtime, "parks");
  await expect.poll(() => ran).toEqual(["first", "body"]);
  await runtime.sessions.park(context, id, "The card service is down.");
  expect((await until(runtime, id, "session.parked")).body).toEqual({ reason: "The card service is down." });
  await runtime.sessions.send(context, id, { type: "user.message", body: "more" });
  expect((await runtime.sessions.get(context, id)).status).toBe("parked");
  await runtime.sessions.requeue(context, id);
  await until(runtime, id, "session.status_idle");
  expect(ran.slice(0, 3)).toEqual(["first", "body", "body"]);
});

test("an archived session leaves the lists and comes back; a deleted one is gone with its events", async () => {
  const runtime = await start([{ name: "echo", run: async () => {} }]);
  const id = await ask(runtime, "echo");
  await until(runtime, id, "session.status_idle");
  await expect.poll(async () => (await runtime.sessions.get(context, id)).owner).toBeUndefined();
  await runtime.sessions.archive(context, id);
  expect((await runtime.sessions.find(context)).items).toEqual([]);
  expect((await runtime.sessions.find(context, { archived: true })).items.map((each) => each.id)).toEqual([id]);
  expect((await runtime.sessions.get(context, id)).status).toBe("idle");
  await runtime.sessions.unarchive(context, id);
  expect((await runtime.sessions.find(context)).items).toHaveLength(1);
  await runtime.sessions.delete(context, id);
  await expect(runtime.sessions.get(context, id)).rejects.toMatchObject({ code: "RUNTIME_NOT_FOUND" });
  await expect(runtime.records.events(context, id)).rejects.toMatchObject({ code: "RUNTIME_NOT_FOUND" });
});

test("a session in a worker's hands is neither archived nor deleted", async () => {
  let running = false;
  const runtime = await start([
    {
      name: "busy",
      async run({ signal }) {
        running = true;
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      },
    },
  ]);
  const id = await ask(runtime, "busy");
  await expect.poll(() => running).toBe(true);
  await expect(runtime.sessions.archive(context, id)).rejects.toMatchObject({ kind: "conflict" });
  await expect(runtime.sessions.delete(context, id)).rejects.toMatchObject({ code: "RUNTIME_SESSION_BUSY" });
});

/** The same record under code that was changed in one place. */
async function checked(changed: (session: Session) => Promise<string>) {
  let effects = 0;
  const was = async (session: Session) => {
    const one = await session.step("one", async () => ++effects, { arguments: { charge: "a" } });
    await session.emit("agent.message", { one });
    await session.step("two", async () => ++effects);
    return "done";
  };
  const runtime = await start([
    { name: "checked", version: "1", run: was },
    { name: "checked", version: "2", run: changed },
  ]);
  const id = await ask(runtime, "checked");
  await until(runtime, id, "session.status_idle");
  const head = (await runtime.sessions.get(context, id)).head;
  expect(await runtime.sessions.check(context, id)).toEqual({ turns: 1 });
  const { divergence } = await runtime.sessions.check(context, id, { agentVersion: "2" });
  expect(effects).toBe(2);
  expect((await runtime.sessions.get(context, id)).head).toBe(head);
  return divergence;
}

const never = async (): Promise<never> => {
  throw new Error("A check has no effects.");
};

test.each([
  ["another argument", { step: "one", what: "Step one is given other arguments." }, { charge: "b" }, 1, "two", "done"],
  ["another event", { what: "Another agent.message is emitted.", now: { one: 9 } }, { charge: "a" }, 9, "two", "done"],
  ["a step of another name", { step: "three" }, { charge: "a" }, 1, "three", "done"],
  ["another result", { recorded: "done", now: "other" }, { charge: "a" }, 1, "two", "other"],
] as const)("a check finds %s", async (_, expected, args, one, second, output) => {
  const divergence = await checked(async (session) => {
    await session.step("one", never, { arguments: args });
    await session.emit("agent.message", { one });
    await session.step(second, never);
    return output;
  });
  expect(divergence).toMatchObject({ turn: 1, ...expected });
});

test("a check finds a step that the code no longer takes", async () => {
  const divergence = await checked(async (session) => {
    await session.emit("agent.message", { one: await session.step("one", never, { arguments: { charge: "a" } }) });
    return "done";
  });
  expect(divergence).toMatchObject({ turn: 1, step: "two" });
});

test("a check of a turn that still waits says what is known so far", async () => {
  const runtime = await start([
    {
      name: "waits",
      async run(session) {
        await session.step("before", async () => 1);
        await session.ask("go", { action: "go" });
        await session.step("after", never);
      },
    },
  ]);
  const id = await ask(runtime, "waits");
  await until(runtime, id, "session.status_waiting");
  expect(await runtime.sessions.check(context, id)).toEqual({ turns: 1 });
});
