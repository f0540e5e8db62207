import { expect, test } from "vitest";
import type { Embedder } from "./embedder.ts";
import { InMemoryMemoryStore } from "./in-memory/index.ts";
import { Memory } from "./memory.ts";
import { RuleExtractor } from "./rule-extractor.ts";
import { ManualClock } from "./testing/index.ts";

const acme = { principal: { tenant: "acme" } };
const turn = { actor: "ada", session: "s", role: "user", text: "I live in Rome." } as const;
const embedder: Embedder = { id: "one", dimensions: 1, maxBatch: 8, embed: async (values) => values.map(() => [1]) };
function made() {
  const [clock, store] = [new ManualClock(), new InMemoryMemoryStore()];
  const strategies = ["facts", "more"].map((id) => ({ id, extractor: new RuleExtractor() }));
  return { clock, memory: new Memory({ store, clock, strategies, embedder }) };
}

test("a definition has versions, and a stale change is refused", async () => {
  const { memory } = made();
  const { definitions } = memory;
  expect(await definitions.put(acme, "m", { description: "one" }, { ifVersion: 0 })).toMatchObject({ version: 1 });
  expect(await definitions.put(acme, "m", { embedder: "two" })).toMatchObject({ name: "m", version: 2 });
  await expect(definitions.put(acme, "m", {}, { ifVersion: 1 })).rejects.toMatchObject({ kind: "conflict" });
  await expect(definitions.put(acme, "m", { retention: { eventsMs: -1 } })).rejects.toMatchObject({ kind: "invalid" });
  expect(await definitions.get(acme, "m", 1)).toMatchObject({ description: "one" });
  expect(await definitions.get(acme, "m")).not.toHaveProperty("description");
  expect(await definitions.get(acme, "other")).toBeUndefined();
});

test("a tenant's definitions are listed page by page, and nobody else's", async () => {
  const { memory } = made();
  for (const name of ["a", "b", "c", "d"]) await memory.definitions.put(acme, name, {});
  await memory.events.append(acme, "bb-undefined", turn);
  await memory.definitions.put({ principal: { tenant: "acme2" } }, "a", {});
  const names: string[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await memory.definitions.list(acme, { limit: 2, ...(cursor === undefined ? {} : { cursor }) });
    names.push(...page.items.map(({ name }) => name));
    cursor = page.cursor;
    if (cursor === undefined) break;
  }
  expect(names).toEqual(["a", "b", "c", "d"]);
});

test("what names no expiry gets that of the definition, from then on", async () => {
  const { memory, clock } = made();
  const before = await memory.records.create(acme, "m", { text: "before" });
  await memory.definitions.put(acme, "m", { retention: { eventsMs: 10, recordsMs: 20 } });
  const event = await memory.events.append(acme, "m", turn);
  const kept = await memory.events.append(acme, "m", { ...turn, expiresAt: clock.now() + 99 });
  const [record] = await memory.records.createMany(acme, "m", [{ text: "after" }]);
  const expiries = [before, event, kept, record].map((each) => each?.expiresAt && each.expiresAt - clock.now());
  expect(expiries).toEqual([undefined, 10, 99, 20]);
});

test("only the strategies and the embedder that it names work on a memory", async () => {
  const { memory } = made();
  await memory.definitions.put(acme, "m", { strategies: ["more"], embedder: "another" });
  await memory.events.append(acme, "m", turn);
  await memory.extraction.run(acme, "m", { actor: "ada" });
  expect((await memory.records.list(acme, "m")).items.map(({ author }) => author)).toEqual(["more"]);
  await expect(memory.reembed(acme, "m")).rejects.toMatchObject({ kind: "conflict" });
  await memory.definitions.put(acme, "m", { embedder: "one" });
  expect(await memory.reembed(acme, "m")).toBe(2);
});
