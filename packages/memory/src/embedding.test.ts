import Database from "better-sqlite3";
import { expect, test } from "vitest";
import type { Embedder } from "./embedder.ts";
import { InMemoryMemoryStore } from "./in-memory/index.ts";
import { Memory } from "./memory.ts";
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
