import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Embedder } from "./embedder.ts";
import { presentEngines, type RunningEngine } from "./fixtures/engines.ts";
import { InMemoryMemoryStore } from "./in-memory/index.ts";
import { Memory } from "./memory.ts";
import type { MemoryStore } from "./memory-store.ts";
import { SqliteMemoryStore } from "./sqlite/index.ts";
import { ManualClock, SequentialIds } from "./testing/index.ts";

const engines: { readonly name: string; readonly running: RunningEngine }[] = [];
const folder = mkdtempSync(join(tmpdir(), "ashlar-properties-"));
beforeAll(async () => {
  await Promise.all(
    presentEngines().map(async (engine) => engines.push({ name: engine.name, running: await engine.start() })),
  );
});
afterAll(async () => {
  await Promise.all(engines.map(({ running }) => running.stop()));
  rmSync(folder, { recursive: true });
});

const meanings = ["heron", "blue", "paint", "Oslo"];
const embedder: Embedder = {
  id: "meanings",
  dimensions: 5,
  maxBatch: 16,
  embed: async (values) => values.map((value) => [...meanings.map((each) => value.split(each).length - 1), 0.1]),
};
const made = (store: MemoryStore, more: object = {}) =>
  new Memory({ store, clock: new ManualClock(), ids: new SequentialIds(), ...more });
const tenant = (name: string) => ({ principal: { tenant: name } });
const acme = tenant("acme");

const word = fc.constantFrom("heron", "blue", "kitchen", "paint", "Ada", "rain?", "Oslo", "trip", "日本", "café");
const words = (most: number) => fc.array(word, { minLength: 1, maxLength: most }).map((list) => list.join(" "));
const written = fc.record({
  kind: fc.constantFrom("event", "record"),
  text: words(70),
  session: fc.constantFrom("a", "b", "c"),
  speaker: fc.constantFrom("Ada", "Ben"),
});

async function write(
  memory: Memory,
  rows: readonly { kind: string; text: string; session: string; speaker: string }[],
  context = acme,
): Promise<void> {
  for (const { kind, text, session, speaker } of rows) {
    if (kind === "record") await memory.records.create(context, "m", { text });
    else await memory.events.append(context, "m", { actor: "ada", role: "user", text, session, speaker });
  }
}

test("every backend gives the identical top 50, with words alone and with vectors", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(written, { minLength: 1, maxLength: 40 }),
      fc.array(words(5), { minLength: 1, maxLength: 4 }),
      async (rows, queries) => {
        const answers: unknown[] = [];
        for (const { running } of engines) {
          const memory = made(await running.createStore(), { embedder });
          await write(memory, rows);
          const all: unknown[] = [];
          for (const text of queries) all.push(await memory.search(acme, "m", { text, topK: 50, explain: true }));
          await memory.reembed(acme, "m");
          for (const text of queries) all.push(await memory.search(acme, "m", { text, topK: 50, explain: true }));
          answers.push(all);
        }
        for (const answer of answers) expect(answer).toEqual(answers[0]);
      },
    ),
    { numRuns: 8 },
  );
});

test("a scope sees what it wrote and nothing of any other, however the names are spelled", async () => {
  const name = fc.oneof(
    fc.constantFrom(
      "a",
      "a:b",
      "a/b",
      "a%2Fb",
      "{a}",
      "A",
      "é",
      "e\u0301",
      "a\0",
      "a\u0001",
      "' OR 1=1",
      "*",
      "\u202ea",
    ),
    fc.string({ unit: "binary", minLength: 1, maxLength: 12 }).filter((text) => !/\p{Surrogate}/u.test(text)),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.tuple(name, name), { minLength: 2, maxLength: 6, selector: (pair) => JSON.stringify(pair) }),
      async (scopes) => {
        for (const { running } of engines) {
          const memory = made(await running.createStore());
          for (const [index, [owner, where]] of scopes.entries()) {
            await memory.records.create(tenant(owner), where, { text: `heron of scope${index}x` });
            await memory.events.append(tenant(owner), where, {
              ...{ actor: "a", session: "s", role: "user", text: `heron in scope${index}x` },
            });
          }
          for (const [index, [owner, where]] of scopes.entries()) {
            const hits = await memory.search(tenant(owner), where, { text: "heron", topK: 50 });
            expect(hits).toHaveLength(2);
            for (const { text } of hits) expect(text).toContain(`scope${index}x`);
            expect((await memory.records.list(tenant(owner), where)).items).toHaveLength(1);
          }
        }
      },
    ),
    { numRuns: 12 },
  );
});

test("writing again with the same keys, in any order and number, changes nothing", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(written, { minLength: 1, maxLength: 12 }),
      fc.array(fc.nat(), { maxLength: 12 }),
      async (rows, again) => {
        const store = new InMemoryMemoryStore();
        const memory = made(store);
        const add = (index: number) => {
          const { kind, text, session, speaker } = rows[index] ?? rows[0] ?? { kind: "", text: "" };
          const context = { ...acme, idempotencyKey: `key ${index}` };
          return kind === "record"
            ? memory.records.create(context, "m", { text })
            : memory.events.append(context, "m", {
                actor: "a",
                role: "user",
                text,
                session: `${session}`,
                speaker: `${speaker}`,
              });
        };
        const first: unknown[] = [];
        for (const index of rows.keys()) first.push(await add(index));
        const version = await store.version({ tenant: "acme", memory: "m" });
        for (const pick of again) expect(await add(pick % rows.length)).toEqual(first[pick % rows.length]);
        expect(await store.version({ tenant: "acme", memory: "m" })).toBe(version);
      },
    ),
    { numRuns: 25 },
  );
});

test("what was deleted leaves no byte of its text in the file, whatever was written around it", async () => {
  let files = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(written, { maxLength: 15 }),
      fc.constantFrom("event", "record", "superseded", "updated", "document"),
      fc.boolean(),
      async (rows, what, embedded) => {
        const path = `delete${files++}.db`;
        const database = new Database(join(folder, path));
        const store = new SqliteMemoryStore({ database });
        const memory = made(store, { embedder });
        await write(memory, rows);
        const secret = "the quokkazither secret";
        const forget = await planted(memory, what, secret);
        if (embedded) await memory.reembed(acme, "m");
        expect(bytesIn(path, "quokkazither")).toBe(true);
        await forget();
        await store.compact();
        expect(bytesIn(path, "quokkazither")).toBe(false);
        database.close();
      },
    ),
    { numRuns: 20 },
  );
});

const bytesIn = (name: string, text: string): boolean =>
  readdirSync(folder).some((file) => file.startsWith(name) && readFileSync(join(folder, file)).includes(text));

/** Writes a text in one of the ways there are, and says how to be rid of it. */
async function planted(memory: Memory, what: string, text: string): Promise<() => Promise<unknown>> {
  if (what === "event") {
    const turn = { actor: "ada", session: "a", role: "user", text } as const;
    const { id } = await memory.events.append(acme, "m", turn);
    return () => memory.events.delete(acme, "m", id);
  }
  if (what === "document") {
    await memory.documents.write(acme, "m", { path: "/a.md", text });
    return () => memory.lifecycle.forget(acme, "m", { documents: "/a.md" });
  }
  const { id } = await memory.records.create(acme, "m", { text, externalId: "x" });
  if (what === "updated") return () => memory.records.update(acme, "m", id, { text: "heron" });
  if (what === "superseded") await memory.records.supersede(acme, "m", id, { text: "heron" });
  return () => memory.records.delete(acme, "m", id);
}

test("an export, wiped and imported into any backend, gives equal answers", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(written, { minLength: 1, maxLength: 25 }),
      words(4),
      fc.nat(),
      fc.boolean(),
      async (rows, text, pick, vectors) => {
        const answers = async (memory: Memory) => [
          await memory.search(acme, "m", { text, topK: 50, explain: true }),
          await memory.records.list(acme, "m", { withSuperseded: true }),
          await memory.events.list(acme, "m", { actor: "ada", session: "a" }),
        ];
        const from = engines[pick % engines.length];
        const store = await from?.running.createStore();
        if (store === undefined) return;
        const memory = made(store, vectors ? { embedder } : {});
        await write(memory, rows);
        const [record] = (await memory.records.list(acme, "m")).items;
        if (record !== undefined) await memory.records.supersede(acme, "m", record.id, { text: "heron in Oslo" });
        await memory.reembed(acme, "m");
        const before = await answers(memory);
        const lines: string[] = [];
        for await (const line of memory.transfer.export(acme, "m", { vectors })) lines.push(line);
        await store.drop({ tenant: "acme", memory: "m" });
        expect((await memory.search(acme, "m", { text })).length).toBe(0);
        await memory.transfer.import(acme, "m", lines);
        expect(await answers(memory)).toEqual(before);
        for (const { running } of engines) {
          const copy = made(await running.createStore(), vectors ? { embedder } : {});
          await copy.transfer.import(acme, "m", lines);
          expect(await answers(copy)).toEqual(before);
        }
      },
    ),
    { numRuns: 8 },
  );
});
