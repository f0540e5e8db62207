import { expect, test } from "vitest";
import type { Agent } from "./agent.ts";
import { ask, context, eventsOf, field, start, typesOf, until } from "./fixtures/stage.ts";
import { ManualClock } from "./testing/index.ts";

const echo: Agent = { name: "echo", expireAfterMs: 60_000, run: async () => {} };

test("a session that idles too long ends as expired; an input in between starts the time anew", async () => {
  const clock = new ManualClock();
  const runtime = await start([echo], { clock, sweepMs: 1_000 });
  const id = await ask(runtime, "echo");
  const idle = async () => (await typesOf(runtime, id)).filter((type) => type === "session.status_idle").length;
  await expect.poll(idle).toBe(1);
  await clock.advance(50_000);
  await runtime.sessions.send(context, id, { type: "user.message", body: null });
  await clock.advance(1_000);
  await expect.poll(idle).toBe(2);
  await clock.advance(50_000);
  expect((await runtime.sessions.get(context, id)).status).toBe("idle");
  await clock.advance(12_000);
  await expect.poll(async () => (await runtime.sessions.get(context, id)).status).toBe("ended");
  expect(field((await eventsOf(runtime, id)).at(-1) as never, "status")).toBe("expired");
});

test("a session that never got an input expires as well", async () => {
  const clock = new ManualClock();
  const runtime = await start([echo], { clock, sweepMs: 1_000 });
  const { id } = await runtime.sessions.open(context, { agent: "echo" });
  await clock.advance(59_000);
  expect((await runtime.sessions.get(context, id)).status).toBe("idle");
  await clock.advance(3_000);
  await expect.poll(async () => (await runtime.sessions.get(context, id)).status).toBe("ended");
});

test("a wake-up without anything to do leaves no trace in the log", async () => {
  const runtime = await start([{ name: "plain", run: async () => {} }]);
  const id = await ask(runtime, "plain");
  await until(runtime, id, "session.status_idle");
  const before = await typesOf(runtime, id);
  const { agent } = await runtime.sessions.get(context, id);
  await runtime.sessions.interrupt(context, id);
  await expect.poll(async () => (await runtime.sessions.get(context, id)).status).toBe("idle");
  expect([agent, await typesOf(runtime, id)]).toEqual(["plain", [...before, "user.interrupt", "session.status_idle"]]);
});

test("active time is metered while a turn runs, and neither in waits nor idle; the log and the record say it", async () => {
  const clock = new ManualClock();
  const runtime = await start(
    [
      {
        name: "works",
        async run(session) {
          await session.step("work", async () => {
            clock.jump(clock.now() + 2_000);
            return null;
          });
          await session.sleep("a day", 86_400_000);
          clock.jump(clock.now() + 500);
          return { activeMs: session.usage().activeMs };
        },
      },
    ],
    { clock, sweepMs: 1_000, leaseMs: 1e9 },
  );
  const id = await ask(runtime, "works");
  await expect.poll(async () => (await runtime.sessions.get(context, id)).status).toBe("waiting");
  await clock.advance(86_500_000);
  await expect.poll(async () => (await runtime.sessions.get(context, id)).status).toBe("idle");
  const events = await eventsOf(runtime, id);
  expect(field(events.find(({ type }) => type === "turn.completed") as never, "output")).toEqual({ activeMs: 2_500 });
  expect(field(events.find(({ type }) => type === "session.status_idle") as never, "usage")).toMatchObject({
    activeMs: 2_500,
  });
  expect((await runtime.records.list(context)).items[0]).toMatchObject({ activeMs: 2_500 });
});

test("a budget pauses before the next step and asks; a yes grants as much again, a no ends the turn", async () => {
  const clock = new ManualClock();
  const agent: Agent = {
    name: "spends",
    budget: { activeMs: 1_000, tokens: 100 },
    async run(session) {
      for (let index = 0; index < 3; index++) {
        await session.step(`s${index}`, async () => {
          clock.jump(clock.now() + 600);
          return index;
        });
      }
    },
  };
  const runtime = await start([agent], { clock, sweepMs: 1_000, leaseMs: 1e9 });
  const id = await ask(runtime, "spends");
  await expect.poll(async () => (await runtime.sessions.get(context, id)).status).toBe("waiting");
  const asked = (await eventsOf(runtime, id)).find(({ type }) => type === "approval.requested");
  expect(asked?.body).toMatchObject({ action: "budget.extend", resource: "activeMs" });
  const waiting = (await eventsOf(runtime, id)).find(({ type }) => type === "session.status_waiting");
  expect(waiting && field(waiting, "on")).toBe("budget");
  await runtime.sessions.answer(context, id, String(asked && field(asked, "request")), { allow: true });
  await clock.advance(2_000);
  await expect.poll(async () => (await runtime.sessions.get(context, id)).status).toBe("idle");
  expect((await typesOf(runtime, id)).filter((type) => type === "budget.extended")).toHaveLength(1);
  expect(await runtime.sessions.check(context, id)).toEqual({ turns: 1 });

  const second = await ask(runtime, "spends");
  await clock.advance(2_000);
  await expect.poll(async () => (await runtime.sessions.get(context, second)).status).toBe("waiting");
  const request = (await eventsOf(runtime, second)).find(({ type }) => type === "approval.requested");
  await runtime.sessions.answer(context, second, String(request && field(request, "request")), { allow: false });
  await clock.advance(2_000);
  expect(await until(runtime, second, "turn.failed")).toMatchObject({ body: { code: "RUNTIME_LIMITED" } });
});
