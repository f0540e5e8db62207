import { expect, test } from "vitest";
import { InMemoryMemoryStore } from "../in-memory/index.ts";
import type { Batch, Lookup, MemoryStore, Range, Scope } from "../memory-store.ts";
import { memoryStoreConformance } from "./index.ts";

/** Names of the laws that a broken store fails. */
async function failures(createStore: () => MemoryStore): Promise<string[]> {
  const laws: [string, () => Promise<void>][] = [];
  memoryStoreConformance({ test: (name, body) => laws.push([name, body]), createStore });
  const failed: string[] = [];
  for (const [name, body] of laws) await body().catch(() => failed.push(name));
  return failed;
}

const faults: readonly (readonly [fault: string, law: RegExp, store: () => MemoryStore])[] = [
  [
    "scopes joined with a delimiter",
    /no spelling/,
    () =>
      new (class extends InMemoryMemoryStore {
        #joined = ({ tenant, memory }: Scope): Scope => ({ tenant: `${tenant}:${memory}`, memory: "" });
        override read(scope: Scope, lookup: Lookup) {
          return super.read(this.#joined(scope), lookup);
        }
        override commit(scope: Scope, batch: Batch) {
          return super.commit(this.#joined(scope), batch);
        }
      })(),
  ],
  [
    "a lost update",
    /one wins/,
    () =>
      new (class extends InMemoryMemoryStore {
        override async commit(scope: Scope, { expect: _, ...batch }: Batch) {
          return super.commit(scope, batch);
        }
      })(),
  ],
  [
    "half a batch",
    /refuses the whole batch/,
    () =>
      new (class extends InMemoryMemoryStore {
        override async commit(scope: Scope, batch: Batch) {
          await super.commit(scope, { add: batch.add ?? [] });
          return super.commit(scope, { ...batch, add: [] });
        }
      })(),
  ],
  [
    "a limit counted from the wrong end",
    /limited from its own end/,
    () =>
      new (class extends InMemoryMemoryStore {
        override async scan(scope: Scope, range: Range) {
          const entries = await super.scan(scope, { ...range, reverse: false });
          return range.reverse ? [...entries].reverse() : entries;
        }
      })(),
  ],
  [
    "a drop that keeps counters",
    /survives a drop/,
    () =>
      new (class extends InMemoryMemoryStore {
        override async drop(scope: Scope) {
          await super.commit(scope, {
            delete: (await super.scan(scope, { from: "", to: "~", limit: 1e6 })).map(({ key }) => key),
          });
        }
      })(),
  ],
];

for (const [fault, law, createStore] of faults) {
  test(`planted fault: ${fault} is caught`, async () => {
    expect(await failures(createStore)).toEqual(expect.arrayContaining([expect.stringMatching(law)]));
  });
}
