import Database from "better-sqlite3";
import { expect, test } from "vitest";
import type { Embedder } from "./embedder.ts";
import { InMemoryMemoryStore } from "./in-memory/index.ts";
import { Memory } from "./memory.ts";
import type { Range, Scope } from "./memory-store.ts";
import { SqliteMemoryStore } from "./sqlite/index.ts";

const acme = { principal: { tenant: "acme" } };
const meanings = [/heron|bird/i, /lake|water/i, /car|vehicle/i];
const embedder = (id = "meanings"): Embedder => ({
  id,
  dimensions: 3,
  maxBatch: 2,
  embed: async (values) => values.map((value) => meanings.map((meaning) => (meaning.test(value) ? 1 : 0.1))),
});

test("a text that shares no word with the query is found by meaning, alike over every store", async () => {
  const answers: unknown[] = [];
  for (const store of [new InMemoryMemoryStore(), new SqliteMemoryStore({ database: new Database(":memory:") })]) {
    const memory = new Memory({ store, embedder: embedder() });
    for (const text of ["The heron waits.", "My car is red.", "A lake in spring."])
      await memory.records.create(acme, "m", { text });
    expect(await memory.reembed(acme, "m")).toBe(3);
    expect(await memory.reembed(acme, "m")).toBe(0);
    const hits = await memory.search(acme, "m", { text: "vehicle", explain: true });
    expect(hits[0]).toMatchObject({ text: "My car is red.", explanation: { vectorRank: 1 } });
    answers.push(hits.map(({ text, score }) => [text, score]));
  }
  expect(answers[1]).toEqual(answers[0]);
});

test("vectors of another model are left aside until embedded again", async () => {
  const store = new InMemoryMemoryStore();
  const first = new Memory({ store, embedder: embedder() });
  await first.records.create(acme, "m", { text: "My car is red." });
  await first.reembed(acme, "m");
  const second = new Memory({ store, embedder: embedder("other") });
  expect(await second.search(acme, "m", { text: "vehicle" })).toEqual([]);
  expect(await second.search(acme, "m", { text: "car" })).toHaveLength(1);
  expect(await second.reembed(acme, "m")).toBe(1);
  expect(await second.search(acme, "m", { text: "vehicle" })).toHaveLength(1);
});

test("an embedder that answers other dimensions is refused, and deleting takes the vector along", async () => {
  const store = new InMemoryMemoryStore();
  const memory = new Memory({ store, embedder: embedder() });
  const { id } = await memory.records.create(acme, "m", { text: "My car is red." });
  const wrong = new Memory({ store, embedder: { ...embedder(), dimensions: 4 } });
  await expect(wrong.reembed(acme, "m")).rejects.toMatchObject({ code: "MEMORY_DIMENSIONS" });
  await memory.reembed(acme, "m");
  await memory.records.delete(acme, "m", id);
  expect(await store.scan({ tenant: "acme", memory: "m" }, { from: "vector/", to: "vector0", limit: 5 })).toEqual([]);
});

test("an export carries vectors when asked, and a correction leaves none behind", async () => {
  const store = new InMemoryMemoryStore();
  const memory = new Memory({ store, embedder: embedder() });
  const { id } = await memory.records.create(acme, "m", { text: "My car is red." });
  await memory.reembed(acme, "m");
  for (const vectors of [true, false]) {
    const lines: string[] = [];
    for await (const line of memory.transfer.export(acme, "m", { vectors })) lines.push(line);
    await memory.transfer.import(acme, `copy-${vectors}`, lines);
    expect(await memory.search(acme, `copy-${vectors}`, { text: "vehicle" })).toHaveLength(vectors ? 1 : 0);
  }
  await memory.records.update(acme, "m", id, { text: "A heron." });
  expect(await memory.search(acme, "m", { text: "vehicle" })).toEqual([]);
});

test("a search within a namespace looks as deep as it takes, past any number of nearer texts elsewhere", async () => {
  const memory = new Memory({ store: new InMemoryMemoryStore(), embedder: embedder() });
  const crowd = Array.from({ length: 480 }, (_, index) => ({ text: `My car number ${index}.`, namespace: "/crowd" }));
  await memory.records.createMany(acme, "m", crowd);
  const rare = await memory.records.create(acme, "m", { text: "A heron in a vehicle.", namespace: "/rare" });
  await memory.reembed(acme, "m");
  const hits = await memory.search(acme, "m", { text: "automobile car vehicle", namespace: "/rare", topK: 3 });
  expect(hits.map(({ id }) => id)).toEqual([rare.id]);
  const history = await memory.records.create(acme, "m", { text: "The lake.", namespace: "/lake" });
  let last = history;
  for (let step = 0; step < 150; step++)
    last = await memory.records.supersede(acme, "m", last.id, { text: `The lake, seen ${step} times.` });
  await memory.reembed(acme, "m");
  const now = await memory.search(acme, "m", { text: "water", topK: 1 });
  expect(now.map(({ id }) => id)).toEqual([last.id]);
});

test("vectors are read once, and again when one has changed; other writes leave them be", async () => {
  const store = new InMemoryMemoryStore();
  let scans = 0;
  const scan = store.scan.bind(store);
  store.scan = (scope, range) => {
    if (range.from.startsWith("vector/")) scans += 1;
    return scan(scope, range);
  };
  const memory = new Memory({ store, embedder: embedder() });
  const { id } = await memory.records.create(acme, "m", { text: "My car is red." });
  await memory.reembed(acme, "m");
  const find = async () =>
    (await memory.search(acme, "m", { text: "vehicle", sources: ["records"] })).map((hit) => hit.text);
  for (let index = 0; index < 3; index++) {
    expect(await find()).toEqual(["My car is red."]);
    await memory.events.append(acme, "m", { actor: "a", session: "s", role: "user", text: "Hello." });
  }
  expect(scans).toBe(1);
  await memory.records.delete(acme, "m", id);
  expect(await find()).toEqual([]);
  expect(scans).toBe(2);
  await store.drop({ tenant: "acme", memory: "m" });
  for (const text of ["A lake.", "Another car."]) await memory.records.create(acme, "m", { text });
  await memory.reembed(acme, "m");
  expect((await find())[0]).toBe("Another car.");
});

test("embedding again reads what is new alone, and what was corrected since is embedded anew", async () => {
  const read: string[] = [];
  const store = new (class extends InMemoryMemoryStore {
    override async scan(scope: Scope, range: Range) {
      const entries = await super.scan(scope, range);
      read.push(...entries.flatMap(({ key }) => (key.startsWith("record/") ? [key] : [])));
      return entries;
    }
  })();
  const memory = new Memory({ store, embedder: embedder() });
  const [first] = await memory.records.createMany(acme, "m", [{ text: "heron" }, { text: "lake" }]);
  expect(await memory.reembed(acme, "m")).toBe(2);
  await memory.records.create(acme, "m", { text: "invoice" });
  read.length = 0;
  expect(await memory.reembed(acme, "m")).toBe(1);
  expect(read).toHaveLength(1);
  await memory.records.update(acme, "m", first?.id ?? "", { text: "a grey heron" });
  expect(await memory.reembed(acme, "m")).toBe(1);
});
