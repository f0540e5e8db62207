import assert from "node:assert/strict";
import { InMemoryMemoryStore } from "../in-memory/index.ts";
import { Memory } from "../memory.ts";
import type { NewRecord } from "../record.ts";
import type { Reflector } from "../reflector.ts";
import { ManualClock } from "./manual-clock.ts";
import type { TestFunction } from "./suite.ts";

export interface ReflectorConformanceOptions {
  readonly test: TestFunction;
  readonly createReflector: () => Reflector | Promise<Reflector>;
  /** Records that this reflector finds something to revise in. They need no namespace of their own. */
  readonly records: readonly NewRecord[];
}

const context = { principal: { tenant: "conformance" } };

/** The law of `Reflector`: run it with your runner's `test` on your own. */
export function reflectorConformance({ test, createReflector, records }: ReflectorConformanceOptions): void {
  const law = (name: string, body: (reflector: Reflector) => Promise<void>) =>
    test(`Reflector: ${name}`, async () => body(await createReflector()));
  const remembered = async (reflector: Reflector) => {
    const clock = new ManualClock();
    const memory = new Memory({ store: new InMemoryMemoryStore(), clock, reflector });
    for (const record of records) {
      await memory.records.create(context, "m", record);
      clock.jump(clock.now() + 1);
    }
    return memory;
  };

  law("it finds something in what it is for, and says why", async (reflector) => {
    const memory = await remembered(reflector);
    const { revisions } = await memory.reflections.propose(context, "m");
    assert.ok(revisions.length > 0);
    assert.ok(revisions.every(({ reason }) => reason.trim() !== ""));
  });

  law("it names only records that it was shown, each in one revision at most", async (reflector) => {
    const memory = await remembered(reflector);
    const shown = (await memory.records.list(context, "m")).items;
    const revisions = await reflector.reflect({ namespace: "/", records: shown, sessions: [] });
    const named = revisions.flatMap((each) => [...(each.action === "learn" ? each.from : [each.keep]), ...each.close]);
    const known = new Set(shown.map(({ id }) => id));
    assert.ok(
      named.every((id) => known.has(id)),
      "a record was named that was not shown",
    );
    assert.equal(new Set(named).size, named.length, "a record is in two revisions");
  });

  law("it changes nothing by itself, not even what it is shown", async (reflector) => {
    const memory = await remembered(reflector);
    const shown = (await memory.records.list(context, "m")).items;
    const before = structuredClone(shown);
    await reflector.reflect({ namespace: "/", records: shown, sessions: [] });
    assert.deepEqual(shown, before);
  });

  law("what it proposes is applied as one; every record stays, and so does its evidence", async (reflector) => {
    const memory = await remembered(reflector);
    const all = async () => (await memory.records.list(context, "m", { withSuperseded: true })).items;
    const before = await all();
    await memory.reflections.apply(context, "m", await memory.reflections.propose(context, "m"));
    const after = await all();
    assert.notDeepEqual(after, before);
    for (const { id, text, evidence } of before) {
      const kept = after.find((record) => record.id === id);
      assert.deepEqual([kept?.text, kept?.evidence], [text, evidence]);
    }
  });

  law("once it is applied, there is nothing more to say of the same", async (reflector) => {
    const memory = await remembered(reflector);
    const ROUNDS = records.length + 1;
    for (let round = 0; round < ROUNDS; round++) {
      const proposed = await memory.reflections.propose(context, "m");
      if (proposed.revisions.length === 0) return;
      await memory.reflections.apply(context, "m", proposed);
    }
    assert.fail(`it still proposes after ${ROUNDS} rounds`);
  });

  law("of nothing it makes nothing", async (reflector) => {
    assert.deepEqual(await reflector.reflect({ namespace: "/", records: [], sessions: [] }), []);
  });
}
