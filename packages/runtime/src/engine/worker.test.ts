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

test("messages in mid-turn and timers are served without a sweep, while many sessions come and go", async () => {
  const stores = { log: new InMemorySessionLog(), queue: new InMemoryWorkQueue() };
  const turns = new Map<string, number>();
  const agent: Agent = {
    name: "a",
    async run(session, { body }) {
      const left = Number(body);
      if (left % 10 === 0) await session.sleep("nap", 5);
      turns.set(session.id, (turns.get(session.id) ?? 0) + 1);
      if (left > 0) await runtime.sessions.send(context, session.id, { type: "user.message", body: left - 1 });
    },
  };
  await using runtime = new Runtime({ ...stores, agents: [agent], sweepMs: 1e6 });
  await runtime.start();
  const ids: string[] = [];
  for (let index = 0; index < 12; index++) ids.push((await runtime.sessions.open(context, { agent: "a" })).id);
  await Promise.all(ids.map((id) => runtime.sessions.send(context, id, { type: "user.message", body: 30 })));
  await expect.poll(() => ids.map((id) => turns.get(id)), { timeout: 20_000 }).toEqual(ids.map(() => 31));
});
