import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect } from "vitest";
import { hostile } from "../../../test/support/hostile.ts";
import { newState } from "./engine/state.ts";
import type { Agent, CallContext, SessionEvent } from "./index.ts";
import { InMemoryLiveBus, InMemorySessionLog, InMemoryWorkQueue, Runtime } from "./index.ts";
import { SqliteSessionLog, SqliteWorkQueue } from "./sqlite/index.ts";
import { ManualClock } from "./testing/index.ts";

const context: CallContext = { principal: { tenant: "acme" } };
const event = (type: string) => ({ id: `evt_${type}`, type, at: 1, schemaVersion: 1 });
const fileOf = (name: string) => join(mkdtempSync(join(tmpdir(), "ashlar-hostile-")), name);
const session = {
  id: "ses_1",
  agent: "a",
  agentVersion: "1",
  status: "idle",
  metadata: {},
  state: {},
  at: 1,
  events: [],
} as const;

function sqlite(path: string, clock?: ManualClock) {
  const database = new Database(path);
  const more = clock === undefined ? {} : { clock };
  return {
    database,
    log: new SqliteSessionLog({ database, ...more }),
    queue: new SqliteWorkQueue({ database, ...more }),
  };
}

async function run(runtime: Runtime, agent: string, until: string, body = {}): Promise<readonly SessionEvent[]> {
  const { id } = await runtime.sessions.open(context, { agent });
  await runtime.sessions.send(context, id, { type: "user.message", body });
  return follow(runtime, id, until);
}

async function follow(runtime: Runtime, id: string, until: string): Promise<readonly SessionEvent[]> {
  const events: SessionEvent[] = [];
  for await (const each of runtime.sessions.events(context, id)) {
    if (each.seq === undefined) continue;
    events.push(each);
    if (each.type === until) break;
  }
  return events;
}

const types = (events: readonly SessionEvent[]) => events.map(({ type }) => type);

hostile("two workers claim one session", {
  control: "two writers that only look whether it is free both write",
  backend: "sqlite",
  async unguarded() {
    const held = new Set<string>();
    const claim = async (worker: string) => {
      const free = held.size === 0;
      await Promise.resolve();
      if (free) held.add(worker);
    };
    await Promise.all([claim("w1"), claim("w2")]);
    expect(held.size).toBe(2);
  },
  async guarded() {
    const path = fileOf("log.db");
    const [one, two] = [sqlite(path), sqlite(path)];
    await one.log.create(context, session);
    await Promise.all([one.log.renew("w1", 60_000), two.log.renew("w2", 60_000)]);
    const claims = await Promise.all([
      one.log.claim(context, "ses_1", { owner: "w1" }),
      two.log.claim(context, "ses_1", { owner: "w2" }),
    ]);
    expect(claims.filter((claim) => claim !== undefined)).toHaveLength(1);
    one.database.close();
    two.database.close();
  },
});

hostile("an owner paused past its lease writes again", {
  control: "a log that checks the lease before the pause, and not the fence at the write, keeps both writers' events",
  backend: "sqlite",
  async unguarded() {
    const clock = new ManualClock();
    const written: string[] = [];
    const lease = { owner: "w1", until: clock.now() + 1000 };
    const stillMine = lease.owner === "w1" && lease.until > clock.now();
    await clock.advance(2000);
    Object.assign(lease, { owner: "w2", until: clock.now() + 1000 });
    written.push("w2");
    if (stillMine) written.push("w1");
    expect(written).toEqual(["w2", "w1"]);
  },
  async guarded() {
    const clock = new ManualClock();
    const { log, database } = sqlite(":memory:", clock);
    await log.create(context, session);
    await log.renew("w1", 1000);
    const paused = await log.claim(context, "ses_1", { owner: "w1" });
    await clock.advance(2000);
    const next = await log.claim(context, "ses_1", { owner: "w2" });
    await log.append(context, "ses_1", next?.fence ?? "", [event("step.completed")]);
    await expect(log.append(context, "ses_1", paused?.fence ?? "", [event("late")])).rejects.toMatchObject({
      code: "RUNTIME_FENCED",
    });
    expect(await log.read(context, "ses_1")).toHaveLength(1);
    database.close();
  },
});

hostile("the disk is full in the middle of a write", {
  control: "the same write succeeds while there is room",
  backend: "sqlite",
  async unguarded() {
    const { log, database } = sqlite(fileOf("log.db"));
    await log.create(context, session);
    const claim = await log.claim(context, "ses_1", { owner: "w1" });
    await log.append(context, "ses_1", claim?.fence ?? "", [{ ...event("big"), body: "x".repeat(1 << 20) }]);
    database.close();
  },
  async guarded() {
    const { log, database } = sqlite(fileOf("log.db"));
    await log.create(context, session);
    const claim = await log.claim(context, "ses_1", { owner: "w1" });
    database.pragma(`max_page_count = ${Number(database.pragma("page_count", { simple: true })) + 8}`);
    const big = { ...event("big"), body: "x".repeat(1 << 20) };
    await expect(log.append(context, "ses_1", claim?.fence ?? "", [event("small"), big])).rejects.toMatchObject({
      code: "RUNTIME_BACKEND_FAILED",
      kind: "unavailable",
    });
    expect(await log.read(context, "ses_1")).toEqual([]);
    database.pragma("max_page_count = 1000000");
    expect(await log.append(context, "ses_1", claim?.fence ?? "", [event("after")])).toMatchObject([{ seq: 1 }]);
    database.close();
  },
});

hostile("the store goes away in the middle of a turn", {
  control: "a turn whose store stays completes",
  async unguarded() {
    const stores = { log: new InMemorySessionLog(), queue: new InMemoryWorkQueue() };
    await using runtime = new Runtime({ ...stores, agents: [stepping], sweepMs: 10 });
    await runtime.start();
    expect(types(await run(runtime, "stepping", "turn.completed")).at(-1)).toBe("turn.completed");
  },
  async guarded() {
    const log = new InMemorySessionLog();
    let away = -1;
    let refused = 0;
    const flaky = new Proxy(log, {
      get(target, name) {
        const value = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          const drafts = name === "append" ? (args[3] as { type: string }[]) : [];
          if (away === 0 && drafts.some(({ type }) => type === "step.completed")) away = 3;
          if (away > 0 && (name === "append" || name === "release")) {
            away -= away === 1 ? 2 : 1;
            refused += 1;
            return Promise.reject(Object.assign(new Error("gone"), { code: "RUNTIME_BACKEND_FAILED" }));
          }
          return Reflect.apply(value, target, args);
        };
      },
    });
    const errors: unknown[] = [];
    await using runtime = new Runtime({
      ...{ log: flaky, queue: new InMemoryWorkQueue(), agents: [stepping], sweepMs: 10, leaseMs: 300 },
      onError: (error) => errors.push(error),
    });
    await runtime.start();
    const { id } = await runtime.sessions.open(context, { agent: "stepping" });
    away = 0;
    await runtime.sessions.send(context, id, { type: "user.message", body: {} });
    const seen = new Set<string>();
    for await (const each of runtime.sessions.events(context, id)) {
      seen.add(each.type);
      if (each.type === "turn.completed" || each.type === "turn.failed") break;
    }
    const seqs = (await log.read(context, id)).map(({ seq }) => seq);
    expect(seqs).toEqual(seqs.map((_, index) => index + 1));
    expect([refused, seen.has("turn.completed")]).toEqual([3, true]);
    expect(errors.length).toBeGreaterThan(0);
  },
});

const stepping: Agent = { name: "stepping", run: async (each) => each.step("one", async () => 1) };

hostile("a poison message that kills its worker every time", {
  control: "with no bound on crashes the sixth worker takes it again",
  async unguarded() {
    expect(await crashes(1000)).toMatchObject({ status: "running" });
  },
  async guarded() {
    expect(await crashes(5)).toMatchObject({ status: "parked" });
  },
});

/** A turn whose worker dies six times: each life is a runtime whose claims are cut off as a crash cuts them off. */
async function crashes(maxCrashes: number) {
  const { log, queue } = { log: new InMemorySessionLog(), queue: new InMemoryWorkQueue() };
  const poison: Agent = { name: "poison", run: () => new Promise<void>(() => {}) };
  const desk = new Runtime({ log, queue, agents: [poison] });
  const { id } = await desk.sessions.open(context, { agent: "poison" });
  await desk.sessions.send(context, id, { type: "user.message", body: {} });
  for (let life = 0; life < 7; life++) {
    const worker = new Runtime({ log, queue, agents: [poison], maxCrashes, sweepMs: 5 });
    await worker.start();
    const [type, count] = life === 0 ? ["turn.started", 1] : ["session.recovered", life];
    let seen = 0;
    for await (const each of worker.sessions.events(context, id)) {
      if (each.type === type) seen += 1;
      if (seen === count || each.type === "session.parked") break;
    }
    for (const { owner } of await log.owners()) {
      await log.expire(owner);
      await queue.expire(owner);
    }
    if ((await desk.sessions.get(context, id)).status === "parked") break;
  }
  return desk.sessions.get(context, id);
}

hostile("a second message in the middle of a turn", {
  control: "a loop that starts a turn for every message has two turns at once",
  async unguarded() {
    let most = 0;
    let now = 0;
    const turn = async () => {
      now += 1;
      most = Math.max(most, now);
      await new Promise(setImmediate);
      now -= 1;
    };
    await Promise.all([turn(), turn()]);
    expect(most).toBe(2);
  },
  async guarded() {
    let most = 0;
    let now = 0;
    const agent: Agent = {
      name: "slow",
      async run() {
        now += 1;
        most = Math.max(most, now);
        await new Promise((resolve) => setTimeout(resolve, 20));
        now -= 1;
      },
    };
    await using runtime = new Runtime({
      log: new InMemorySessionLog(),
      queue: new InMemoryWorkQueue(),
      agents: [agent],
    });
    await runtime.start();
    const { id } = await runtime.sessions.open(context, { agent: "slow" });
    for (let index = 0; index < 4; index++)
      await runtime.sessions.send(context, id, { type: "user.message", body: { index } });
    let turns = 0;
    for await (const each of runtime.sessions.events(context, id))
      if (each.type === "turn.completed" && ++turns === 4) break;
    expect(most).toBe(1);
  },
});

hostile("an append whose cost grows with the log", {
  control: "a log that counts its rows to find the next place reads all of them",
  backend: "sqlite",
  unguarded() {
    const { database } = sqlite(":memory:");
    const plan = database.prepare("EXPLAIN QUERY PLAN SELECT count(*) FROM runtime_event").all() as {
      detail: string;
    }[];
    expect(plan.some(({ detail }) => detail.startsWith("SCAN"))).toBe(true);
    database.close();
  },
  async guarded() {
    const { log, database } = sqlite(":memory:");
    await log.create(context, session);
    const claim = await log.claim(context, "ses_1", { owner: "w1" });
    const sources: string[] = [];
    const prepare = database.prepare.bind(database);
    const watched = new Proxy(database, {
      get: (target, name) =>
        name === "prepare"
          ? (source: string) => {
              sources.push(source);
              return prepare(source);
            }
          : Reflect.get(target, name, target),
    });
    const fresh = new SqliteSessionLog({ database: watched });
    await fresh.append(context, "ses_1", claim?.fence ?? "", [{ ...event("a"), idempotencyKey: "k" }]);
    const plans = sources
      .filter((source) => /^\s*(INSERT|UPDATE|SELECT)/.test(source) && source.includes("runtime_event"))
      .flatMap((source) => {
        const places = (source.match(/\?/g) ?? []).map(() => null);
        return (
          places.length === 0 || /[@:]\w/.test(source)
            ? []
            : database.prepare(`EXPLAIN QUERY PLAN ${source}`).all(...places)
        ) as { detail: string }[];
      });
    expect(plans.length).toBeGreaterThan(0);
    for (const { detail } of plans) expect(detail).not.toMatch(/^SCAN runtime_event(?! USING (COVERING )?INDEX)/);
    database.close();
  },
});

hostile("10,000 sessions wake at once", {
  control: "all 10,000 want to run at the same instant",
  timeoutMs: 180_000,
  async unguarded() {
    crowd = await crowdOf(10_000);
    expect((await crowd.log.due({ limit: 20_000 })).length).toBe(10_000);
  },
  async guarded() {
    let most = 0;
    let now = 0;
    let done = 0;
    let finish = () => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const agent: Agent = {
      name: "crowd",
      async run() {
        now += 1;
        most = Math.max(most, now);
        await Promise.resolve();
        now -= 1;
        done += 1;
        if (done === 10_000) finish();
      },
    };
    const { log, queue } = crowd;
    await using runtime = new Runtime({ log, queue, agents: [agent], concurrency: 32, sweepMs: 50 });
    await runtime.start();
    await finished;
    expect([most <= 32, done]).toEqual([true, 10_000]);
    expect((await runtime.sessions.find(context, { status: "parked" })).items).toEqual([]);
  },
});

let crowd: Awaited<ReturnType<typeof crowdOf>>;

async function crowdOf(count: number) {
  const stores = sqlite(":memory:");
  for (let index = 0; index < count; index++) {
    const wakes = { ...session, id: `ses_${index}`, agent: "crowd", status: "queued", wakeAt: 1 } as const;
    await stores.log.create(context, { ...wakes, state: newState({ priority: 0, requires: [] }) as never });
    await stores.log.deposit(context, wakes.id, { ...event("user.message"), id: `evt_${index}` }, { wake: false });
  }
  return stores;
}

hostile("a reader that takes one event a minute", {
  control: "a channel that keeps everything for its slowest reader grows with every delta",
  async unguarded() {
    const kept: unknown[] = [];
    const bus = new InMemoryLiveBus();
    await bus.subscribe(context, "ses_1", (message) => void kept.push(message));
    for (let index = 0; index < 50_000; index++) {
      await bus.publish(context, "ses_1", { type: "delta", turn: 1, step: "s", body: index });
    }
    expect(kept).toHaveLength(50_000);
  },
  async guarded() {
    const live = new InMemoryLiveBus();
    const runtime = new Runtime({
      log: new InMemorySessionLog(),
      queue: new InMemoryWorkQueue(),
      live,
      agents: [stepping],
    });
    const { id } = await runtime.sessions.open(context, { agent: "stepping" });
    const stop = new AbortController();
    const stream = runtime.sessions
      .events({ ...context, signal: stop.signal }, id, { deltas: true })
      [Symbol.asyncIterator]();
    await stream.next();
    for (let index = 0; index < 50_000; index++) {
      await live.publish(context, id, { type: "delta", turn: 1, step: "s", body: index });
    }
    let taken = 0;
    const over = setTimeout(() => stop.abort(), 300);
    for (let next = await stream.next(); next.done !== true; next = await stream.next()) taken += 1;
    clearTimeout(over);
    expect(taken).toBeLessThanOrEqual(1_001);
  },
});

hostile("a deploy in the middle of a session", {
  control: "a worker that runs the open turn with the newest code repeats the effect under another name",
  async unguarded() {
    expect(await deployed("1")).toEqual(["charge", "charge-card"]);
  },
  async guarded() {
    expect(await deployed("2")).toEqual(["charge"]);
  },
});

/** Charges, waits, is deployed over with code that names its step otherwise, and goes on: the effects that took place. */
async function deployed(versionOfNewCode: string): Promise<readonly string[]> {
  const clock = new ManualClock();
  const stores = { log: new InMemorySessionLog({ clock }), queue: new InMemoryWorkQueue({ clock }) };
  const effects: string[] = [];
  const code = (version: string, step: string): Agent => ({
    ...{ name: "pays", version },
    async run(each) {
      await each.step(step, async () => void effects.push(step));
      await each.waitFor("go");
    },
  });
  const lives = (agents: readonly Agent[]) => new Runtime({ ...stores, clock, agents, leaseMs: 1e9 });
  const before = lives([code("1", "charge")]);
  await before.start();
  const { id } = await before.sessions.open(context, { agent: "pays" });
  await before.sessions.send(context, id, { type: "user.message", body: {} });
  await expect.poll(async () => (await before.sessions.get(context, id)).status).toBe("waiting");
  await before.close();
  const after = lives([code(versionOfNewCode, "charge-card")]);
  await after.start();
  await after.sessions.signal(context, id, "go");
  await clock.advance(20_000);
  if (versionOfNewCode !== "1") {
    expect((await after.sessions.get(context, id)).status).toBe("waiting");
    await after.close();
    const both = lives([code("1", "charge"), code("2", "charge-card")]);
    await both.start();
    await clock.advance(20_000);
    await expect.poll(async () => (await both.sessions.get(context, id)).status).toBe("idle");
    await both.close();
  } else {
    await expect.poll(async () => (await after.sessions.get(context, id)).status).toBe("idle");
    await after.close();
  }
  return effects;
}

hostile("the clock jumps", {
  control: "a lease judged by two clocks that disagree is over for one of them",
  unguarded() {
    const lease = 1_000_000;
    expect([999_000 < lease, 1_001_000 < lease]).toEqual([true, false]);
  },
  async guarded() {
    const clock = new ManualClock();
    const { log, database } = sqlite(":memory:", clock);
    await log.create(context, session);
    await log.renew("w1", 1000);
    const claim = await log.claim(context, "ses_1", { owner: "w1" });
    clock.jump(clock.now() + 86_400_000);
    const taken = await log.claim(context, "ses_1", { owner: "w2" });
    clock.jump(clock.now() - 2 * 86_400_000);
    await expect(log.append(context, "ses_1", claim?.fence ?? "", [event("late")])).rejects.toMatchObject({
      code: "RUNTIME_FENCED",
    });
    await log.append(context, "ses_1", taken?.fence ?? "", [event("a")]);
    expect((await log.read(context, "ses_1")).map(({ seq }) => seq)).toEqual([1]);
    database.close();
  },
});
