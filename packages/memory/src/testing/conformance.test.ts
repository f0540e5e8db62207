import { expect, test } from "vitest";
import type { Embedder } from "../embedder.ts";
import type { Extractor } from "../extractor.ts";
import { lengthEmbedder as letters } from "../fixtures/length-embedder.ts";
import { InMemoryMemoryStore } from "../in-memory/index.ts";
import type { Batch, Lookup, MemoryStore, Range, Scope } from "../memory-store.ts";
import type { MemoryRecord } from "../record.ts";
import type { Reflector } from "../reflector.ts";
import { RuleExtractor } from "../rule-extractor.ts";
import { RuleReflector } from "../rule-reflector.ts";
import { embedderConformance, extractorConformance, memoryStoreConformance, reflectorConformance } from "./index.ts";

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
  [
    "an empty text taken for nothing",
    /absence is undefined/,
    () =>
      new (class extends InMemoryMemoryStore {
        override async read(scope: Scope, lookup: Lookup) {
          const found = await super.read(scope, lookup);
          return { ...found, values: found.values.map((value) => value || undefined) };
        }
      })(),
  ],
  [
    "texts brought into one normal form",
    /every character/,
    () =>
      new (class extends InMemoryMemoryStore {
        override commit(scope: Scope, batch: Batch) {
          const put = batch.put?.map(({ key, value }) => ({ key, value: value.normalize("NFC") }));
          return super.commit(scope, { ...batch, put: put ?? [] });
        }
      })(),
  ],
  [
    "a counter read, then written",
    /no addition/,
    () =>
      new (class extends InMemoryMemoryStore {
        readonly #held = new Map<string, number>();
        override async commit(scope: Scope, { add = [], ...batch }: Batch) {
          const before = add.map(({ counter }) => this.#held.get(counter) ?? 0);
          await Promise.resolve();
          for (const [at, { counter, by }] of add.entries()) this.#held.set(counter, (before[at] ?? 0) + by);
          return super.commit(scope, batch);
        }
        override async read(scope: Scope, lookup: Lookup) {
          const found = await super.read(scope, lookup);
          return { ...found, counters: (lookup.counters ?? []).map((each) => this.#held.get(each) ?? 0) };
        }
      })(),
  ],
  [
    "a list in the order of digits",
    /rising order of document/,
    () =>
      new (class extends InMemoryMemoryStore {
        override async read(scope: Scope, lookup: Lookup) {
          const found = await super.read(scope, lookup);
          const sorted = found.postings.map((list) => {
            const triples = Array.from({ length: list.length / 3 }, (_, at) => list.slice(3 * at, 3 * at + 3));
            return triples.sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1)).flat();
          });
          return { ...found, postings: sorted };
        }
      })(),
  ],
  [
    "lists that a later commit begins anew",
    /spread over commits/,
    () =>
      new (class extends InMemoryMemoryStore {
        #commits = 0;
        override async commit(scope: Scope, batch: Batch) {
          this.#commits += 1;
          const held = (await super.read(scope, { terms: ["rare"] })).postings[0] ?? [];
          const unpost = this.#commits === 100 && held[0] !== undefined ? [{ term: "rare", document: held[0] }] : [];
          return super.commit(scope, { ...batch, unpost: [...(batch.unpost ?? []), ...unpost] });
        }
      })(),
  ],
  [
    "deletions after puts",
    /may be put in the same batch/,
    () =>
      new (class extends InMemoryMemoryStore {
        override async commit(scope: Scope, { delete: gone = [], ...batch }: Batch) {
          return (await super.commit(scope, batch)) && super.commit(scope, { delete: gone });
        }
      })(),
  ],
  [
    "the last of several additions alone",
    /applied in order/,
    () =>
      new (class extends InMemoryMemoryStore {
        override commit(scope: Scope, batch: Batch) {
          const add = new Map(batch.add?.map((each) => [each.counter, each]));
          return super.commit(scope, { ...batch, add: [...add.values()] });
        }
      })(),
  ],
  [
    "a read in two steps",
    /of one state/,
    () =>
      new (class extends InMemoryMemoryStore {
        override async read(scope: Scope, lookup: Lookup) {
          const { values } = await super.read(scope, { keys: lookup.keys ?? [] });
          await new Promise((resolve) => setImmediate(resolve));
          return { ...(await super.read(scope, { ...lookup, keys: [] })), values };
        }
      })(),
  ],
  [
    "a column that cuts its text",
    /taken whole/,
    () =>
      new (class extends InMemoryMemoryStore {
        override commit(scope: Scope, batch: Batch) {
          const put = batch.put?.map(({ key, value }) => ({ key, value: value.slice(0, 65_535) }));
          return super.commit(scope, { ...batch, put: put ?? [] });
        }
      })(),
  ],
  [
    "scopes in order of their names joined",
    /each once/,
    () =>
      new (class extends InMemoryMemoryStore {
        override async scopes(page: { readonly after?: Scope; readonly limit: number }) {
          const name = ({ tenant, memory }: Scope) => memory + tenant;
          const all = (await super.scopes({ limit: 1_000 })).toSorted((a, b) => (name(a) < name(b) ? -1 : 1));
          const { after } = page;
          return all.filter((scope) => after === undefined || name(scope) > name(after)).slice(0, page.limit);
        }
      })(),
  ],
  [
    "a store that works on after its end",
    /closed store refuses/,
    () =>
      new (class extends InMemoryMemoryStore {
        override async close() {}
      })(),
  ],
];

for (const [fault, law, createStore] of faults) {
  test(`planted fault: ${fault} is caught`, async () => {
    expect(await failures(createStore)).toEqual(expect.arrayContaining([expect.stringMatching(law)]));
  });
}

test("every law has a planted fault that it catches", () => {
  const laws: string[] = [];
  memoryStoreConformance({ test: (name) => laws.push(name), createStore: () => new InMemoryMemoryStore() });
  expect(laws.filter((name) => !faults.some(([, law]) => law.test(name)))).toEqual([]);
});

const brokenEmbedders: readonly (readonly [fault: string, embedder: Embedder])[] = [
  ["vectors of another length", { ...letters, dimensions: 25 }],
  ["answers in another order", { ...letters, embed: async (...given) => (await letters.embed(...given)).toReversed() }],
  ["a signal that is not heard", { ...letters, embed: (values, { kind }) => letters.embed(values, { kind }) }],
  [
    "numbers that are none",
    { ...letters, embed: async (values) => values.map(() => new Float32Array(26).fill(Number.NaN)) },
  ],
];
for (const [fault, embedder] of brokenEmbedders) {
  test(`planted fault: an embedder with ${fault} is caught`, async () => {
    const laws: (() => Promise<void>)[] = [];
    embedderConformance({ test: (_, body) => laws.push(body), createEmbedder: () => embedder });
    const ends = await Promise.allSettled(laws.map((law) => law()));
    expect(ends.some(({ status }) => status === "rejected")).toBe(true);
  });
}

const rules = new RuleExtractor();
const brokenExtractors: readonly (readonly [fault: string, extractor: Extractor])[] = [
  ["finds nothing", { extract: async () => [] }],
  [
    "invents evidence",
    { extract: async (window) => (await rules.extract(window)).map((each) => ({ ...each, evidence: ["evt_x"] })) },
  ],
  [
    "is surer than sure",
    { extract: async (window) => (await rules.extract(window)).map((each) => ({ ...each, confidence: 2 })) },
  ],
  ["makes something of nothing", { extract: async () => [{ text: "Ada likes herons." }] }],
];
for (const [fault, extractor] of brokenExtractors) {
  test(`planted fault: an extractor that ${fault} is caught`, async () => {
    const laws: (() => Promise<void>)[] = [];
    const turns = ["I live in Oslo."];
    extractorConformance({ test: (_, body) => laws.push(body), createExtractor: () => extractor, turns });
    const ends = await Promise.allSettled(laws.map((law) => law()));
    expect(ends.some(({ status }) => status === "rejected")).toBe(true);
  });
}

const home = { subject: "home", evidence: ["evt_1"] };
const told = [
  { text: "Ada lives in Rome.", ...home },
  { text: "Ada lives in Oslo.", ...home },
  { text: "Herons wait by lakes." },
  { text: "By lakes herons wait." },
];
const reflects = new RuleReflector();
const brokenReflectors: readonly (readonly [fault: string, law: RegExp, reflector: Reflector])[] = [
  ["finds nothing", /finds something/, { reflect: async () => [] }],
  [
    "gives no reason",
    /says why/,
    { reflect: async (shown) => (await reflects.reflect(shown)).map((each) => ({ ...each, reason: " " })) },
  ],
  [
    "names a record that it never saw",
    /only records that it was shown/,
    {
      reflect: async (shown) =>
        (await reflects.reflect(shown)).map((each) => ({ ...each, close: [...each.close, "rec_x"] })),
    },
  ],
  [
    "revises a record twice",
    /one revision at most/,
    {
      reflect: async (shown) => {
        const found = await reflects.reflect(shown);
        return [...found, ...found];
      },
    },
  ],
  [
    "sorts what it is shown in place",
    /changes nothing/,
    {
      reflect: async (shown) => {
        (shown.records as MemoryRecord[]).reverse();
        return reflects.reflect(shown);
      },
    },
  ],
  [
    "closes a record in favour of itself",
    /applied as one/,
    {
      reflect: async ({ records: [record] }) =>
        record === undefined ? [] : [{ action: "close", keep: record.id, close: [record.id], reason: "It is old." }],
    },
  ],
  [
    "always has a lesson more",
    /nothing more to say/,
    {
      reflect: async ({ records }) =>
        records.slice(-1).map(({ id, namespace, text }) => {
          const lesson = {
            from: [id],
            close: [],
            namespace,
            subject: id,
            text: `Lesson: ${text}`,
            reason: "One more.",
          };
          return { action: "learn" as const, ...lesson };
        }),
    },
  ],
  [
    "makes something of nothing",
    /makes nothing/,
    {
      reflect: async ({ namespace }) => {
        const lesson = { namespace, subject: "herons", text: "Herons wait.", reason: "So it seems." };
        return [{ action: "learn", from: [], close: [], ...lesson }];
      },
    },
  ],
];
for (const [fault, law, reflector] of brokenReflectors) {
  test(`planted fault: a reflector that ${fault} is caught`, async () => {
    const failed: string[] = [];
    const laws: [string, () => Promise<void>][] = [];
    const createReflector = () => reflector;
    reflectorConformance({ test: (name, body) => laws.push([name, body]), createReflector, records: told });
    for (const [name, body] of laws) await body().catch(() => failed.push(name));
    expect(failed).toEqual(expect.arrayContaining([expect.stringMatching(law)]));
  });
}
reflectorConformance({ test, createReflector: () => reflects, records: told });
