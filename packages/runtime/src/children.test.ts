import { expect, test } from "vitest";
import type { Agent } from "./agent.ts";
import type { SessionState } from "./engine/state.ts";
import { ask, context, eventsOf, field, start, typesOf, until } from "./fixtures/stage.ts";
import { InMemorySessionLog, InMemoryWorkQueue } from "./in-memory/index.ts";
import type { ChildReport } from "./session.ts";

const worker: Agent = {
  name: "worker",
  async run(session, { body }) {
    await session.meter({ inputTokens: 10, outputTokens: 1, costMicros: 5 });
    if (body === "fail") throw Object.assign(new Error("no such page"), { code: "PAGE_GONE" });
    return { done: body };
  },
};

test("a session starts others, waits for them without a process, and their usage counts as its own", async () => {
  const runtime = await start([
    worker,
    {
      name: "lead",
      async run(session) {
        const ids = [
          await session.spawn("first", { agent: "worker", input: "one" }),
          await session.spawn("second", { agent: "worker", input: "fail" }),
        ];
        const reports: ChildReport[] = [];
        for (const id of ids) reports.push(await session.join(id));
        await session.meter({ inputTokens: 1, outputTokens: 1 });
        return { reports: reports as never, usage: { ...session.usage(), activeMs: 0 } };
      },
    },
  ]);
  const id = await ask(runtime, "lead");
  const { body } = await until(runtime, id, "turn.completed");
  expect(body).toEqual({
    output: {
      reports: [
        { status: "completed", output: { done: "one" } },
        { status: "failed", error: { code: "PAGE_GONE", message: "no such page" } },
      ],
      usage: { inputTokens: 21, outputTokens: 3, costMicros: 10, activeMs: 0 },
    },
  });
  expect((await eventsOf(runtime, id)).some((event) => field(event, "on") === "child")).toBe(true);
  const children = (await runtime.sessions.find(context, { parent: id })).items;
  expect(children).toHaveLength(2);
  expect(await runtime.sessions.check(context, id)).toEqual({ turns: 1 });
});

test("a turn that runs again finds its children and starts none twice", async () => {
  const stores = { log: new InMemorySessionLog(), queue: new InMemoryWorkQueue() };
  const lead = (hang: boolean): Agent => ({
    name: "lead",
    async run(session) {
      const id = await session.spawn("only", { agent: "worker", input: "one" });
      await session.step("pause", async ({ signal }) => {
        if (hang) await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
        return null;
      });
      return (await session.join(id)) as never;
    },
  });
  const first = await start([worker, lead(true)], stores);
  const id = await ask(first, "lead");
  await until(first, id, "step.started");
  await first.close();
  const second = await start([worker, lead(false)], stores);
  expect(field(await until(second, id, "turn.completed"), "output")).toMatchObject({ status: "completed" });
  expect((await second.sessions.find(context, { parent: id })).items).toHaveLength(1);
});

test("a report that a crash kept back is made up for: the end of the turn and the debt are one write", async () => {
  const log = new InMemorySessionLog();
  let refused = 0;
  const deposit = log.deposit.bind(log);
  log.deposit = async (...args) => {
    if (args[2].type === "child.reported" && refused++ < 2) throw new Error("The process dies here.");
    return deposit(...args);
  };
  const lead: Agent = {
    name: "lead",
    run: async (session) => (await session.join(await session.spawn("a", { agent: "worker", input: "one" }))) as never,
  };
  const runtime = await start([worker, lead], { log, onError: () => {} });
  const id = await ask(runtime, "lead");
  expect(field(await until(runtime, id, "turn.completed"), "output")).toMatchObject({ output: { done: "one" } });
  expect(refused).toBe(3);
  const [child] = (await runtime.sessions.find(context, { parent: id })).items;
  const completed = (await typesOf(runtime, child?.id ?? "")).filter((type) => type === "turn.completed");
  expect(completed).toHaveLength(1);
});

test("sessions nest as deep and are as many as the agent allows, also when they start at once", async () => {
  const nested = await start([
    {
      name: "deep",
      children: { depth: 2 },
      async run(session) {
        const report = await session.join(await session.spawn("next", { agent: "deep", input: null }));
        if (report.error !== undefined) throw Object.assign(new Error(report.error.message), report.error);
      },
    },
  ]);
  const top = await ask(nested, "deep");
  expect(await until(nested, top, "turn.failed")).toMatchObject({ body: { code: "RUNTIME_LIMITED" } });
  expect((await nested.sessions.find(context, { agent: "deep" })).items).toHaveLength(3);

  const many = await start([
    worker,
    {
      name: "wide",
      children: { count: 2 },
      async run(session) {
        await Promise.all([1, 2, 3].map((input) => session.spawn(`n${input}`, { agent: "worker", input })));
      },
    },
  ]);
  const wide = await ask(many, "wide");
  expect(await until(many, wide, "turn.failed")).toMatchObject({ body: { code: "RUNTIME_LIMITED" } });
  expect((await many.sessions.find(context, { parent: wide })).items).toHaveLength(2);
});

test("killing a session kills those it started, and a killed child is told to its parent", async () => {
  const runtime = await start([
    { name: "hangs", run: (session) => session.waitFor("never") },
    {
      name: "lead",
      run: async (session) => (await session.join(await session.spawn("a", { agent: "hangs", input: null }))) as never,
    },
  ]);
  const told = await ask(runtime, "lead");
  await until(runtime, told, "session.status_waiting");
  const childOf = async (parent: string) => (await runtime.sessions.find(context, { parent })).items[0]?.id ?? "";
  await runtime.sessions.kill(context, await childOf(told));
  expect(field(await until(runtime, told, "turn.completed"), "output")).toEqual({ status: "ended" });

  const killed = await ask(runtime, "lead");
  await until(runtime, killed, "session.status_waiting");
  await runtime.sessions.kill(context, killed);
  expect(await runtime.sessions.get(context, await childOf(killed))).toMatchObject({ status: "ended" });
});

test("a child that nobody joins is counted in when the session next takes a turn", async () => {
  const runtime = await start([
    worker,
    {
      name: "lead",
      async run(session, { body }) {
        if (body === "go") await session.spawn("a", { agent: "worker", input: "one" });
        return { tokens: session.usage().inputTokens };
      },
    },
  ]);
  const id = await ask(runtime, "lead", "go");
  const { seq } = await until(runtime, id, "child.reported");
  await runtime.sessions.send(context, id, { type: "user.message", body: "then" });
  expect(field(await until(runtime, id, "turn.completed", seq), "output")).toEqual({ tokens: 10 });
  const { state } = await runtime.sessions.get(context, id);
  expect((state as unknown as SessionState).inputTokens).toBe(10);
});
