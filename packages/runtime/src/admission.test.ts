import fc from "fast-check";
import { expect, test } from "vitest";
import { Admission, type AdmissionPolicy, starvedLanes } from "./admission.ts";
import { InMemoryWorkQueue } from "./in-memory/index.ts";
import { ManualClock } from "./testing/index.ts";
import type { Lane, TakenJob } from "./work-queue.ts";

const lane = (more: Partial<Lane> = {}): Lane => ({ tenant: "acme", agent: "a", priority: 0, requires: [], ...more });

async function setUp(policy: AdmissionPolicy = {}, labels: readonly string[] = []) {
  const clock = new ManualClock();
  const queue = new InMemoryWorkQueue({ clock });
  const admission = new Admission({ policy, labels });
  await queue.renew("w1", 1e9);
  let made = 0;
  return {
    queue,
    clock,
    async fill(into: Lane, count: number) {
      const next = () => ({ session: `s${++made}`, lane: into, availableAt: clock.now() });
      await queue.put(Array.from({ length: count }, next));
    },
    /** Takes one after the other, as a worker with one free place does. */
    async take(count: number): Promise<readonly TakenJob[]> {
      const taken: TakenJob[] = [];
      while (taken.length < count) {
        const before = taken.length;
        for (const each of admission.order(await queue.lanes(), clock.now())) {
          const { jobs } = await queue.take(each, { owner: "w1", count: 1, ...admission.limits(each) });
          if (jobs.length === 0) continue;
          admission.served(each);
          taken.push(...jobs);
          break;
        }
        if (taken.length === before) break;
      }
      return taken;
    },
  };
}

const byTenant = (jobs: readonly TakenJob[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { lane } of jobs) counts[lane.tenant] = (counts[lane.tenant] ?? 0) + 1;
  return counts;
};

test("higher priorities come first, whoever waited longer", async () => {
  const { fill, take } = await setUp();
  await fill(lane(), 2);
  await fill(lane({ priority: 5, tenant: "b" }), 2);
  expect((await take(3)).map((job) => job.lane.priority)).toEqual([5, 5, 0]);
});

test("tenants of one priority share by weight, however many jobs each has", async () => {
  const { fill, take } = await setUp({ weight: (tenant) => (tenant === "big" ? 3 : 1) });
  await fill(lane({ tenant: "flood" }), 500);
  await fill(lane({ tenant: "small" }), 100);
  await fill(lane({ tenant: "big" }), 100);
  expect(byTenant(await take(100))).toEqual({ flood: 20, small: 20, big: 60 });
});

test("a tenant that was away gets its share from now on, not what it missed", async () => {
  const { fill, take } = await setUp();
  await fill(lane({ tenant: "steady" }), 500);
  await take(100);
  await fill(lane({ tenant: "late" }), 500);
  expect(byTenant(await take(40))).toEqual({ steady: 20, late: 20 });
});

test("a worker takes only what its labels allow, and what nobody can take is named", async () => {
  const gpu = lane({ requires: ["gpu:a100", "zone:eu"] });
  const { fill, take, queue } = await setUp({}, ["gpu:a100"]);
  await fill(gpu, 1);
  expect(await take(1)).toEqual([]);
  const starved = starvedLanes(await queue.depth(), [["gpu:a100"], []]);
  expect(starved).toMatchObject([{ lane: gpu, waiting: 1, missing: ["zone:eu"] }]);
  expect(starvedLanes(await queue.depth(), [["zone:eu", "gpu:a100"]])).toEqual([]);
});

test("a tenant at its limit leaves the room to others", async () => {
  const { fill, take, queue } = await setUp({
    concurrency: ({ tenant }) => [{ key: `tenant:${tenant}`, limit: tenant === "acme" ? 2 : 9 }],
  });
  await fill(lane(), 10);
  await fill(lane({ tenant: "b" }), 3);
  const jobs = await take(10);
  expect(byTenant(jobs)).toEqual({ acme: 2, b: 3 });
  for (const job of jobs) await queue.finish(job);
  expect(byTenant(await take(10))).toEqual({ acme: 2 });
});

test("whatever is put in comes out once, and no limit is ever passed", async () => {
  const lanes = fc.record({
    tenant: fc.constantFrom("a", "b", "c"),
    agent: fc.constantFrom("x", "y"),
    priority: fc.integer({ min: -1, max: 1 }),
  });
  const limits = fc.record({ a: fc.integer({ min: 1, max: 4 }), b: fc.integer({ min: 1, max: 4 }), c: fc.constant(2) });
  await fc.assert(
    fc.asyncProperty(fc.array(lanes, { maxLength: 30 }), limits, async (all, limit) => {
      const most = (tenant: string) => limit[tenant as keyof typeof limit];
      const { fill, take, queue } = await setUp({
        concurrency: ({ tenant }) => [{ key: tenant, limit: most(tenant) }],
      });
      for (const each of all) await fill(lane(each), 1);
      const seen = new Set<string>();
      while (seen.size < all.length) {
        const jobs = await take(7);
        expect(jobs.length).toBeGreaterThan(0);
        for (const [tenant, count] of Object.entries(byTenant(jobs))) expect(count).toBeLessThanOrEqual(most(tenant));
        for (const job of jobs) {
          expect(seen.has(job.session)).toBe(false);
          seen.add(job.session);
          await queue.finish(job);
        }
      }
      expect(await queue.lanes()).toEqual([]);
    }),
    { numRuns: 50 },
  );
});
