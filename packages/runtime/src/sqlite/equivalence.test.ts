import Database from "better-sqlite3";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { CallContext } from "../dialect.ts";
import { InMemorySessionLog, InMemoryWorkQueue } from "../in-memory/index.ts";
import { EVENT_SCHEMA_VERSION, INPUT_FENCE, type NewEvent } from "../session-event.ts";
import type { SessionLog } from "../session-log.ts";
import { ManualClock, SequentialIds } from "../testing/index.ts";
import type { Lane, TakenJob, WorkQueue } from "../work-queue.ts";
import { SqliteSessionLog, SqliteWorkQueue } from "./index.ts";

const context: CallContext = { principal: { tenant: "acme" } };
const owners = fc.constantFrom("w1", "w2");
const sessions = fc.constantFrom("ses_1", "ses_2");
const keys = fc.option(fc.constantFrom("k1", "k2", "k3"), { nil: undefined });
const times = fc.integer({ min: 0, max: 300 });

/** What a call gives or throws, in a form that compares. */
const outcome = async (call: () => Promise<unknown>): Promise<unknown> => {
  try {
    return JSON.parse(JSON.stringify((await call()) ?? null));
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
};

type Step<Subject> = (subject: Subject) => Promise<unknown>;

/** Runs the same steps on both and expects every answer alike. */
async function alike<Subject>(steps: readonly Step<Subject>[], left: Subject, right: Subject): Promise<void> {
  for (const [index, step] of steps.entries()) {
    const [ours, law] = [await outcome(() => step(left)), await outcome(() => step(right))];
    expect(ours, `step ${index}`).toEqual(law);
  }
}

interface LogSubject {
  readonly log: SessionLog;
  readonly clock: ManualClock;
  readonly fences: string[];
}

const event = (idempotencyKey: string | undefined, body: number): NewEvent => ({
  id: `evt_${body}`,
  type: "a",
  at: body,
  schemaVersion: EVENT_SCHEMA_VERSION,
  body,
  ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
});

const logStep: fc.Arbitrary<Step<LogSubject>> = fc.oneof(
  fc.tuple(sessions, keys).map(
    ([id, key]): Step<LogSubject> =>
      ({ log, clock }) => {
        const given = { id, agent: "a", agentVersion: "1", status: "idle", metadata: { id }, state: { id } } as const;
        return log.create(context, { ...given, at: clock.now(), events: [event(key, 0), event(key, 1)] });
      },
  ),
  fc.tuple(sessions, owners, fc.boolean()).map(
    ([id, owner, forced]): Step<LogSubject> =>
      async ({ log, fences }) => {
        const from = forced ? { from: fences.at(-1) ?? "none" } : {};
        const claim = await log.claim(context, id, { owner, ...from });
        if (claim !== undefined) fences.push(claim.fence);
        return claim;
      },
  ),
  fc.tuple(sessions, fc.nat(3), fc.array(fc.tuple(keys, fc.nat(99)), { maxLength: 3 }), fc.boolean()).map(
    ([id, back, given, change]): Step<LogSubject> =>
      ({ log, fences }) => {
        const events = given.map(([key, body]) => event(key, body));
        const fence = fences.at(-1 - back) ?? "none";
        return change
          ? log.append(context, id, fence, events, {
              status: "running",
              state: [back],
              archivedAt: back === 0 ? null : 5,
            })
          : log.append(context, id, fence, events);
      },
  ),
  fc.tuple(sessions, keys, fc.boolean()).map(
    ([id, key, wake]): Step<LogSubject> =>
      ({ log }) => {
        return log.deposit(context, id, event(key, 7), { wake });
      },
  ),
  fc.tuple(sessions, fc.nat(2), fc.nat(6), fc.option(times, { nil: undefined })).map(
    ([id, back, seen, inMs]): Step<LogSubject> =>
      ({ log, clock, fences }) => {
        const wake = inMs === undefined ? {} : { wakeAt: clock.now() + inMs / 2 };
        return log.release(context, id, fences.at(-1 - back) ?? "none", { seen, ...wake });
      },
  ),
  fc.tuple(sessions, fc.nat(2)).map(
    ([id, back]): Step<LogSubject> =>
      ({ log, fences }) => {
        return log.saveSnapshot(context, id, fences.at(-1 - back) ?? "none", { seq: 1, body: { back } });
      },
  ),
  fc.tuple(owners, times).map(
    ([owner, ms]): Step<LogSubject> =>
      ({ log }) =>
        log.renew(owner, ms),
  ),
  owners.map(
    (owner): Step<LogSubject> =>
      ({ log }) =>
        log.expire(owner),
  ),
  sessions.map(
    (id): Step<LogSubject> =>
      ({ log }) =>
        log.delete(context, id),
  ),
  times.map(
    (ms): Step<LogSubject> =>
      ({ clock }) =>
        clock.advance(ms),
  ),
  fc.integer({ min: -300, max: 300 }).map(
    (ms): Step<LogSubject> =>
      async ({ clock }) =>
        clock.jump(clock.now() + ms),
  ),
);

const lookAt: Step<LogSubject> = async ({ log }) => [
  await log.find(context, {}),
  (await log.due({ limit: 9 })).map(({ session }) => session).sort(),
  [...(await log.owners())].sort((a, b) => (a.owner < b.owner ? -1 : 1)),
  await outcome(() => log.read(context, "ses_1", { after: 1 })),
  await outcome(() => log.snapshot(context, "ses_1")),
];

/** No gaps, one event per key, and the fences of the owners' events never go back. */
async function checkLaws(log: SessionLog, id: string): Promise<void> {
  if ((await log.get(context, id)) === undefined) return;
  const events = await log.read(context, id);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  const known = events.flatMap(({ idempotencyKey }) => idempotencyKey ?? []);
  expect(new Set(known).size).toBe(known.length);
  const epochs = events.filter(({ fence }) => fence !== INPUT_FENCE).map(({ fence }) => Number.parseInt(fence, 10));
  expect(epochs).toEqual([...epochs].sort((a, b) => a - b));
}

test("whatever two owners do to a session log, SQLite answers as the log in memory, and the laws hold", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(logStep, { minLength: 10, maxLength: 50 }), async (steps) => {
      const database = new Database(":memory:");
      const subject = (make: (deps: { clock: ManualClock; ids: SequentialIds }) => SessionLog): LogSubject => {
        const clock = new ManualClock();
        return { log: make({ clock, ids: new SequentialIds() }), clock, fences: [] };
      };
      const ours = subject((deps) => new SqliteSessionLog({ database, ...deps }));
      const law = subject((deps) => new InMemorySessionLog(deps));
      await alike(
        steps.flatMap((step) => [step, lookAt]),
        ours,
        law,
      );
      for (const id of ["ses_1", "ses_2"]) await checkLaws(ours.log, id);
      database.close();
    }),
    { numRuns: 60 },
  );
});

interface QueueSubject {
  readonly queue: WorkQueue;
  readonly clock: ManualClock;
  readonly taken: TakenJob[];
  readonly wanted: Set<string>;
}

const lanes: readonly Lane[] = [
  { tenant: "acme", agent: "a", priority: 0, requires: [] },
  { tenant: "acme", agent: "b", priority: 5, requires: ["gpu:a100"] },
];
const lane = fc.constantFrom(...lanes);
const names = fc.constantFrom("s1", "s2", "s3", "s4");

/** Never the same for two sessions: which of two equal times comes first is nobody's law. */
const apart = (clock: ManualClock, ms: number, session: string): number =>
  clock.now() + ms + Number(session.slice(1)) / 8;

const queueStep: fc.Arbitrary<Step<QueueSubject>> = fc.oneof(
  fc.tuple(names, lane, times).map(
    ([session, at, ms]): Step<QueueSubject> =>
      ({ queue, clock, wanted }) => {
        wanted.add(session);
        return queue.put([{ session, lane: at, availableAt: apart(clock, ms - 200, session) }]);
      },
  ),
  fc.tuple(lane, owners, fc.nat(3), fc.nat(3), fc.boolean()).map(
    ([from, owner, count, limit, rated]): Step<QueueSubject> =>
      async ({ queue, taken, wanted }) => {
        const concurrency = limit === 0 ? [] : [{ key: "tenant:acme", limit }];
        const rates = rated ? [{ key: "r", limit: 2, perMs: 100 }] : [];
        const answer = await queue.take(from, { owner, count, concurrency, rates });
        taken.push(...answer.jobs);
        for (const { session } of answer.jobs) wanted.delete(session);
        return { ...answer, jobs: answer.jobs.map(({ session }) => session).sort() };
      },
  ),
  fc.nat(4).map(
    (back): Step<QueueSubject> =>
      async ({ queue, taken }) => {
        const job = taken.at(-1 - back);
        if (job !== undefined) await queue.finish(job);
      },
  ),
  fc.tuple(fc.nat(4), times).map(
    ([back, ms]): Step<QueueSubject> =>
      async ({ queue, clock, taken }) => {
        const job = taken.at(-1 - back);
        if (job !== undefined) await queue.putBack(job, apart(clock, ms, job.session));
      },
  ),
  fc.tuple(owners, times).map(
    ([owner, ms]): Step<QueueSubject> =>
      ({ queue }) =>
        queue.renew(owner, ms),
  ),
  owners.map(
    (owner): Step<QueueSubject> =>
      ({ queue }) =>
        queue.expire(owner),
  ),
  times.map(
    (ms): Step<QueueSubject> =>
      ({ clock }) =>
        clock.advance(ms),
  ),
);

const byText = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
const lookAtQueue: Step<QueueSubject> = async ({ queue }) => [
  [...(await queue.lanes())].sort(byText),
  (await queue.depth()).map(({ lane: { agent }, ...rest }) => ({ agent, ...rest })).sort(byText),
];

test("whatever two workers do to a work queue, SQLite answers as the queue in memory, and no job is lost", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(queueStep, { minLength: 10, maxLength: 60 }), async (steps) => {
      const database = new Database(":memory:");
      const subject = (make: (deps: { clock: ManualClock; ids: SequentialIds }) => WorkQueue): QueueSubject => {
        const clock = new ManualClock();
        return { queue: make({ clock, ids: new SequentialIds() }), clock, taken: [], wanted: new Set() };
      };
      const ours = subject((deps) => new SqliteWorkQueue({ database, ...deps }));
      const law = subject((deps) => new InMemoryWorkQueue(deps));
      await alike(
        steps.flatMap((step) => [step, lookAtQueue]),
        ours,
        law,
      );
      await ours.queue.expire("w1");
      await ours.queue.expire("w2");
      await ours.clock.advance(1_000);
      await ours.queue.renew("last", 1_000);
      const left = new Set<string>();
      for (const from of lanes) {
        const { jobs } = await ours.queue.take(from, { owner: "last", count: 9, concurrency: [], rates: [] });
        for (const { session } of jobs) left.add(session);
      }
      for (const session of ours.wanted) expect(left).toContain(session);
      database.close();
    }),
    { numRuns: 60 },
  );
});
