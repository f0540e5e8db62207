import assert from "node:assert/strict";
import type { Clock, IdSource } from "../dialect.ts";
import type { Lane, WorkQueue } from "../work-queue.ts";
import { ManualClock, SequentialIds } from "./manual-clock.ts";
import type { TestFunction } from "./suite.ts";

export interface WorkQueueConformance {
  readonly test: TestFunction;
  createQueue(deps: { readonly clock: Clock; readonly ids: IdSource }): WorkQueue | Promise<WorkQueue>;
  /** The queue does not follow the given clock: laws that move time are run with short real waits. */
  readonly ownTime?: boolean;
}

const lane = (more: Partial<Lane> = {}): Lane => ({ tenant: "acme", agent: "a", priority: 0, requires: [], ...more });
const plain = { owner: "w1", count: 10, concurrency: [], rates: [] };

/** The law of `WorkQueue`. */
export function workQueueConformance({ test, createQueue, ownTime = false }: WorkQueueConformance): void {
  const law = (
    name: string,
    body: (queue: WorkQueue, time: { now(): number; pass(ms: number): Promise<void> }) => Promise<void>,
  ) =>
    test(`work queue: ${name}`, async () => {
      const clock = new ManualClock();
      const queue = await createQueue({ clock, ids: new SequentialIds() });
      await queue.renew("w1", 60_000);
      try {
        await body(queue, {
          now: () => (ownTime ? Date.now() : clock.now()),
          pass: (ms) => (ownTime ? new Promise((resolve) => setTimeout(resolve, ms + 30)) : clock.advance(ms)),
        });
      } finally {
        await queue.close();
      }
    });
  const sessions = (taken: Awaited<ReturnType<WorkQueue["take"]>>) => taken.jobs.map(({ session }) => session);

  law("jobs of a lane come earliest first, each to one taker", async (queue, { now }) => {
    const at = now() - 100;
    await queue.put([
      { session: "s2", lane: lane(), availableAt: at + 2 },
      { session: "s1", lane: lane(), availableAt: at + 1 },
    ]);
    assert.deepEqual(sessions(await queue.take(lane(), plain)), ["s1", "s2"]);
    assert.deepEqual(sessions(await queue.take(lane(), plain)), []);
  });

  law("lanes do not mix, whatever their names hold", async (queue, { now }) => {
    const odd = lane({ tenant: 'ac","me', agent: "a:b", requires: ["gpu:a100", "zone:eu"] });
    await queue.put([
      { session: "s1", lane: lane({ priority: 5 }), availableAt: now() },
      { session: "s2", lane: odd, availableAt: now() },
    ]);
    const lanes = (await queue.lanes()).map((each) => each.lane);
    assert.equal(lanes.length, 2);
    assert.deepEqual(
      lanes.find(({ tenant }) => tenant === odd.tenant),
      odd,
    );
    assert.deepEqual(sessions(await queue.take(odd, plain)), ["s2"]);
    assert.deepEqual(sessions(await queue.take(lane(), plain)), []);
  });

  law("a delayed job is not given before its time", async (queue, { now, pass }) => {
    const availableAt = now() + 200;
    await queue.put([{ session: "s1", lane: lane(), availableAt }]);
    assert.deepEqual(sessions(await queue.take(lane(), plain)), []);
    assert.deepEqual(await queue.lanes(), [{ lane: lane(), nextAt: availableAt }]);
    await pass(200);
    assert.deepEqual(sessions(await queue.take(lane(), plain)), ["s1"]);
  });

  law(
    "a second put of a waiting session keeps one job, the earlier time and the newer lane",
    async (queue, { now }) => {
      await queue.put([{ session: "s1", lane: lane(), availableAt: now() + 60_000 }]);
      await queue.put([{ session: "s1", lane: lane({ priority: 9 }), availableAt: now() }]);
      await queue.put([{ session: "s1", lane: lane({ priority: 9 }), availableAt: now() + 90_000 }]);
      assert.deepEqual(sessions(await queue.take(lane({ priority: 9 }), plain)), ["s1"]);
      assert.deepEqual(await queue.lanes(), []);
    },
  );

  law("a put while the session is in work is kept until it is finished", async (queue, { now }) => {
    await queue.put([{ session: "s1", lane: lane(), availableAt: now() }]);
    const [job] = (await queue.take(lane(), plain)).jobs;
    assert.ok(job);
    await queue.put([{ session: "s1", lane: lane(), availableAt: now() }]);
    assert.deepEqual(sessions(await queue.take(lane(), plain)), []);
    await queue.finish(job);
    assert.deepEqual(sessions(await queue.take(lane(), plain)), ["s1"]);
  });

  law("a finished job is gone, a put-back one waits again", async (queue, { now, pass }) => {
    await queue.put([
      { session: "s1", lane: lane(), availableAt: now() - 2 },
      { session: "s2", lane: lane(), availableAt: now() - 1 },
    ]);
    const [first, second] = (await queue.take(lane(), plain)).jobs;
    assert.ok(first && second);
    await queue.finish(first);
    await queue.finish(first);
    await queue.putBack(second, now() + 200);
    assert.deepEqual(sessions(await queue.take(lane(), plain)), []);
    await pass(200);
    assert.deepEqual(sessions(await queue.take(lane(), plain)), ["s2"]);
  });

  law("a put during work decides the lane when the job is put back or lost", async (queue, { now }) => {
    const newer = lane({ priority: 9 });
    await queue.put([{ session: "s1", lane: lane(), availableAt: now() }]);
    const [job] = (await queue.take(lane(), plain)).jobs;
    assert.ok(job);
    await queue.put([{ session: "s1", lane: newer, availableAt: now() }]);
    await queue.putBack(job, now());
    assert.deepEqual(sessions(await queue.take(newer, plain)), ["s1"]);
    await queue.put([{ session: "s1", lane: lane(), availableAt: now() }]);
    await queue.expire("w1");
    await queue.renew("w1", 60_000);
    assert.deepEqual(sessions(await queue.take(lane(), plain)), ["s1"]);
  });

  law("a removed job is gone, also its repetition", async (queue, { now }) => {
    await queue.put([{ session: "s1", lane: lane(), availableAt: now() }]);
    await queue.remove("s1");
    assert.deepEqual(await queue.lanes(), []);
  });

  law("jobs of an owner whose lease ends wait again; its late finish changes nothing", async (queue, { now, pass }) => {
    await queue.renew("w2", 200);
    await queue.put([{ session: "s1", lane: lane(), availableAt: now() }]);
    const [lost] = (await queue.take(lane(), { ...plain, owner: "w2" })).jobs;
    assert.ok(lost);
    await pass(200);
    assert.deepEqual(sessions(await queue.take(lane(), plain)), ["s1"]);
    await queue.finish(lost);
    assert.deepEqual(
      (await queue.depth()).map(({ working }) => working),
      [1],
    );
  });

  law("an owner without a lease in force is given nothing", async (queue, { now, pass }) => {
    await queue.renew("w2", 200);
    await queue.put([{ session: "s1", lane: lane(), availableAt: now() }]);
    await pass(200);
    assert.deepEqual(sessions(await queue.take(lane(), { ...plain, owner: "w2" })), []);
    assert.deepEqual(sessions(await queue.take(lane(), { ...plain, owner: "never" })), []);
    await queue.renew("w2", 60_000);
    assert.deepEqual(sessions(await queue.take(lane(), { ...plain, owner: "w2" })), ["s1"]);
  });

  law("a put after the owner's lease has ended waits at once, in the newer lane", async (queue, { now, pass }) => {
    await queue.renew("w2", 200);
    await queue.put([{ session: "s1", lane: lane(), availableAt: now() }]);
    await queue.take(lane(), { ...plain, owner: "w2" });
    await pass(200);
    await queue.put([{ session: "s1", lane: lane({ priority: 9 }), availableAt: now() }]);
    assert.deepEqual(sessions(await queue.take(lane({ priority: 9 }), plain)), ["s1"]);
    assert.deepEqual(sessions(await queue.take(lane(), plain)), []);
  });

  law("expiring an owner gives its jobs back at once", async (queue, { now }) => {
    await queue.renew("w2", 60_000);
    await queue.put([{ session: "s1", lane: lane(), availableAt: now() }]);
    await queue.take(lane(), { ...plain, owner: "w2" });
    await queue.expire("w2");
    assert.deepEqual(sessions(await queue.take(lane(), plain)), ["s1"]);
  });

  law("a concurrency limit holds over lanes and is freed by finish, put back and expiry", async (queue, { now }) => {
    const limits = { ...plain, concurrency: [{ key: "tenant:acme", limit: 2 }] };
    await queue.renew("w2", 60_000);
    await queue.put(
      ["s1", "s2", "s3", "s4"].map((session, index) => ({
        session,
        lane: lane({ agent: index < 2 ? "a" : "b" }),
        availableAt: now() - 10 + index,
      })),
    );
    const [first] = (await queue.take(lane(), { ...limits, count: 1 })).jobs;
    assert.ok(first);
    const [second] = (await queue.take(lane({ agent: "b" }), { ...limits, count: 1, owner: "w2" })).jobs;
    assert.ok(second);
    const refused = await queue.take(lane(), limits);
    assert.deepEqual([refused.jobs, refused.limited?.key], [[], "tenant:acme"]);
    await queue.finish(first);
    assert.deepEqual(sessions(await queue.take(lane(), limits)), ["s2"]);
    await queue.expire("w2");
    assert.deepEqual(sessions(await queue.take(lane({ agent: "b" }), { ...limits, count: 1 })), ["s3"]);
  });

  law("a concurrency limit holds when many take at once", async (queue, { now }) => {
    await queue.put(
      Array.from({ length: 20 }, (_, index) => ({ session: `s${index}`, lane: lane(), availableAt: now() - 1 })),
    );
    const taken = await Promise.all(
      Array.from({ length: 10 }, () =>
        queue.take(lane(), { ...plain, count: 2, concurrency: [{ key: "k", limit: 5 }] }),
      ),
    );
    assert.equal(taken.flatMap(({ jobs }) => jobs).length, 5);
  });

  law("a rate lets a burst through, then one at a time", async (queue, { now, pass }) => {
    const limits = { ...plain, count: 1, rates: [{ key: "r", limit: 2, perMs: 400 }] };
    await queue.put(
      ["s1", "s2", "s3"].map((session, index) => ({ session, lane: lane(), availableAt: now() - 10 + index })),
    );
    assert.deepEqual(sessions(await queue.take(lane(), limits)), ["s1"]);
    assert.deepEqual(sessions(await queue.take(lane(), limits)), ["s2"]);
    const refused = await queue.take(lane(), limits);
    assert.deepEqual([refused.jobs, refused.limited?.key], [[], "r"]);
    assert.ok((refused.limited?.until ?? 0) > now());
    await pass(200);
    assert.deepEqual(sessions(await queue.take(lane(), limits)), ["s3"]);
  });

  law("depth counts what waits and what is in work", async (queue, { now }) => {
    await queue.put([
      { session: "s1", lane: lane(), availableAt: now() - 5 },
      { session: "s2", lane: lane(), availableAt: now() + 60_000 },
    ]);
    await queue.take(lane(), plain);
    const [entry, ...rest] = await queue.depth();
    assert.deepEqual([rest.length, entry?.waiting, entry?.working], [0, 1, 1]);
  });

  law("a put wakes who waits, and an abort ends the wait", async (queue, { now }) => {
    const waiting = queue.wakeup(new AbortController().signal);
    await queue.put([{ session: "s1", lane: lane(), availableAt: now() }]);
    await waiting;
    const stopped = new Error("stopped");
    const abort = new AbortController();
    abort.abort(stopped);
    await assert.rejects(queue.wakeup(abort.signal), stopped);
  });
}
