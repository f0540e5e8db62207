import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Agent } from "../agent.ts";
import { InMemorySessionLog, InMemoryWorkQueue } from "../in-memory/index.ts";
import { Runtime } from "../runtime.ts";
import { ManualClock } from "../testing/index.ts";

const context = { principal: { tenant: "acme" } };

test("a worker whose lease has lapsed takes nothing and does not spin; renewed, it goes on", async () => {
  const clock = new ManualClock();
  let takes = 0;
  class Counting extends InMemoryWorkQueue {
    override async take(...args: Parameters<InMemoryWorkQueue["take"]>) {
      takes += 1;
      if (takes > 1_000) throw new Error("It spins.");
      return super.take(...args);
    }
  }
  const stores = { log: new InMemorySessionLog({ clock }), queue: new Counting({ clock }) };
  const ran: string[] = [];
  const agents = [{ name: "a", run: async () => void ran.push("a") }];
  const errors: unknown[] = [];
  await using runtime = new Runtime({ ...stores, clock, agents, leaseMs: 9_000, onError: (e) => errors.push(e) });
  await runtime.start();
  clock.jump(clock.now() + 60_000);
  const { id } = await runtime.sessions.open(context, { agent: "a" });
  await runtime.sessions.park(context, id);
  await runtime.sessions.send(context, id, { type: "user.message", body: null });
  for (let turn = 0; turn < 50; turn++) await setImmediate();
  expect([errors, takes < 20, ran]).toEqual([[], true, []]);
  await clock.advance(3_000);
  await runtime.sessions.requeue(context, id);
  await clock.advance(1_000);
  await expect.poll(() => ran).toEqual(["a"]);
});

test("jobs that come back while their session runs here start nothing a second time", async () => {
  const stores = { log: new InMemorySessionLog(), queue: new InMemoryWorkQueue() };
  let running = 0;
  let most = 0;
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const agent = {
    name: "a",
    async run() {
      most = Math.max(most, ++running);
      await gate;
      running -= 1;
    },
  };
  await using runtime = new Runtime({ ...stores, agents: [agent], sweepMs: 5 });
  await runtime.start();
  const { id } = await runtime.sessions.open(context, { agent: "a" });
  await runtime.sessions.send(context, id, { type: "user.message", body: null });
  await expect.poll(() => running).toBe(1);
  const [owner] = await stores.log.owners();
  await stores.queue.expire(owner?.owner ?? "");
  await stores.queue.renew(owner?.owner ?? "", 60_000);
  await expect.poll(() => stores.queue.lanes()).toEqual([]);
  release();
  for await (const { type } of runtime.sessions.events(context, id)) if (type === "session.status_idle") break;
  const { items } = await runtime.records.events(context, id);
  expect([most, items.filter(({ type }) => type === "session.recovered")]).toEqual([1, []]);
});

test("a message in mid-turn, a timer and an answer are served without a sweep", async () => {
  const stores = { log: new InMemorySessionLog(), queue: new InMemoryWorkQueue() };
  let turns = 0;
  const agent: Agent = {
    name: "a",
    async run(session, { body }) {
      turns += 1;
      if (body === "sleep") await session.sleep("nap", 20);
      if (body === "again") await runtime.sessions.send(context, session.id, { type: "user.message", body: "last" });
    },
  };
  await using runtime = new Runtime({ ...stores, agents: [agent], sweepMs: 1e6 });
  await runtime.start();
  const { id } = await runtime.sessions.open(context, { agent: "a" });
  for (let round = 1; round <= 20; round++) {
    await runtime.sessions.send(context, id, { type: "user.message", body: "again" });
    await expect.poll(() => turns, { timeout: 10_000 }).toBe(round * 2);
  }
  await runtime.sessions.send(context, id, { type: "user.message", body: "sleep" });
  await expect.poll(() => turns, { timeout: 10_000 }).toBe(42);
});
