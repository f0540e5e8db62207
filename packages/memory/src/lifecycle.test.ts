import { expect, test } from "vitest";
import { InMemoryMemoryStore } from "./in-memory/index.ts";
import { Memory } from "./memory.ts";
import { MemoryTools } from "./memory-tools.ts";
import { ManualClock } from "./testing/index.ts";

const acme = { principal: { tenant: "acme" } };
const said = (text: string, more: object = {}) => ({
  actor: "ada",
  session: "s1",
  role: "user" as const,
  text,
  ...more,
});
function made() {
  const [clock, store] = [new ManualClock(), new InMemoryMemoryStore()];
  return { clock, store, memory: new Memory({ store, clock }) };
}
async function exported(memory: Memory): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of memory.transfer.export(acme, "m")) lines.push(line);
  return lines;
}
const scope = { tenant: "acme", memory: "m" };
const everything = { from: "!", to: "~", limit: 10_000 };

test("forget removes an actor whole, keeps the others, and leaves an audit row without content", async () => {
  const { memory, store } = made();
  for (let index = 0; index < 70; index++)
    await memory.events.append(acme, "m", said(`quokka ${index}`, { session: `s${index % 3}` }));
  await memory.events.append({ ...acme, idempotencyKey: "k" }, "m", said("quokka again"));
  await memory.records.create(acme, "m", { text: "likes the quokka", actor: "ada" });
  await memory.events.append(acme, "m", said("heron", { actor: "ben" }));
  expect(await memory.lifecycle.forget(acme, "m", { actor: "ada" })).toEqual({ events: 71, records: 1, documents: 0 });
  const left = JSON.stringify(await store.scan(scope, everything));
  expect(left).not.toMatch(/quokka|\bada\b/);
  expect((await store.read(scope, { terms: ["e:quokka", "r:quokka"] })).postings).toEqual([[], []]);
  expect(await memory.search(acme, "m", { text: "heron" })).toHaveLength(1);
  expect(await memory.lifecycle.audit(acme, "m")).toMatchObject([{ action: "forget", events: 71, records: 1 }]);
});

test("forget of one session leaves the actor's others, and what rests on them too", async () => {
  const { memory } = made();
  const one = await memory.events.append(acme, "m", said("quokka"));
  const two = await memory.events.append(acme, "m", said("heron", { session: "s2" }));
  const evidences = [[one.id], [one.id, two.id], [two.id], []];
  for (const [index, evidence] of evidences.entries())
    await memory.records.create(acme, "m", { text: `record ${index}`, actor: "ada", evidence });
  const removed = await memory.lifecycle.forget(acme, "m", { actor: "ada", session: "s1" });
  expect(removed).toEqual({ events: 1, records: 1, documents: 0 });
  expect((await memory.records.list(acme, "m")).items.map(({ text }) => text)).toEqual([
    "record 1",
    "record 2",
    "record 3",
  ]);
  expect((await memory.events.branches(acme, "m", { actor: "ada" })).items.map(({ session }) => session)).toEqual([
    "s2",
  ]);
});

test("forget also takes what nobody filed under the actor, when it rests on that actor's turns alone", async () => {
  const { memory } = made();
  const own = await memory.events.append(acme, "m", said("quokka"));
  const other = await memory.events.append(acme, "m", said("heron", { actor: "ben" }));
  await memory.records.create(acme, "m", { text: "of ada alone", evidence: [own.id] });
  await memory.records.create(acme, "m", { text: "of both", evidence: [own.id, other.id] });
  await memory.records.create(acme, "m", { text: "of nobody" });
  expect(await memory.lifecycle.forget(acme, "m", { actor: "ada" })).toEqual({ events: 1, records: 1, documents: 0 });
  expect((await memory.records.list(acme, "m")).items.map(({ text }) => text)).toEqual(["of both", "of nobody"]);
});

test("a sweep that is aborted stops between two commits and may be called again", async () => {
  const { memory, clock } = made();
  for (let index = 0; index < 100; index++)
    await memory.events.append(acme, "m", said("soon", { expiresAt: clock.now() + 1 }));
  clock.jump(clock.now() + 2);
  const signal = AbortSignal.abort(new Error("enough"));
  await expect(memory.lifecycle.sweep({ ...acme, signal }, "m")).rejects.toThrow("enough");
  expect(await memory.lifecycle.sweep(acme, "m")).toMatchObject({ events: 100 });
});

test("lists filter by metadata, page by page", async () => {
  const { memory } = made();
  for (let index = 0; index < 30; index++) {
    const metadata = { topic: index % 3 === 0 ? "birds" : "lakes", index };
    await memory.events.append(acme, "m", said(`turn ${index}`, { metadata }));
    await memory.records.create(acme, "m", { text: `record ${index}`, metadata });
  }
  const filters = [
    { field: "metadata.topic", operator: "EQUALS", value: "birds" },
    { field: "metadata.index", operator: "LT", value: 25 },
  ] as const;
  for (const reverse of [false, true]) {
    const seen: unknown[] = [];
    for (let cursor: string | undefined; ; ) {
      const query = {
        actor: "ada",
        session: "s1",
        filters,
        limit: 4,
        reverse,
        ...(cursor === undefined ? {} : { cursor }),
      };
      const page = await memory.events.list(acme, "m", query);
      seen.push(...page.items.map(({ metadata }) => metadata.index));
      cursor = page.cursor;
      if (cursor === undefined) break;
    }
    const all = [0, 3, 6, 9, 12, 15, 18, 21, 24];
    expect(seen).toEqual(reverse ? all.toReversed() : all);
  }
  const { items, cursor } = await memory.records.list(acme, "m", { filters, limit: 8 });
  expect(items).toHaveLength(8);
  expect((await memory.records.list(acme, "m", { filters, limit: 8, cursor: cursor ?? "" })).items).toHaveLength(1);
});

test("forget of documents takes every version of those at the path and below, and no others", async () => {
  const { memory, store } = made();
  for (const path of ["/notes", "/notes/ada.md", "/notes-old/ada.md"])
    for (const text of ["quokka one", "quokka two"]) await memory.documents.write(acme, "m", { path, text });
  await memory.documents.delete(acme, "m", { path: "/notes" });
  expect(await memory.lifecycle.forget(acme, "m", { documents: "/notes" })).toMatchObject({ documents: 2 });
  expect((await memory.documents.list(acme, "m")).items.map(({ path }) => path)).toEqual(["/notes-old/ada.md"]);
  expect(JSON.stringify(await store.scan(scope, everything)).match(/quokka/g)).toHaveLength(3);
  expect(await memory.documents.write(acme, "m", { path: "/notes", text: "anew" })).toMatchObject({ version: 1 });
});

test("a sweep removes what has expired and nothing else", async () => {
  const { memory, clock } = made();
  for (let index = 0; index < 40; index++)
    await memory.events.append(acme, "m", said("soon", { expiresAt: clock.now() + index }));
  await memory.records.create(acme, "m", { text: "stays" });
  clock.jump(clock.now() + 19);
  expect(await memory.lifecycle.sweep(acme, "m")).toMatchObject({ events: 20, records: 0 });
  expect(await memory.search(acme, "m", { text: "soon", topK: 100 })).toHaveLength(20);
});

test("export, wipe, import gives equal answers", async () => {
  const { memory, store } = made();
  const events = [];
  for (let index = 0; index < 150; index++)
    events.push(
      await memory.events.append(acme, "m", said(`heron ${index} by the lake`, { session: `s${index % 4}` })),
    );
  await memory.events.delete(acme, "m", events[70]?.id ?? "");
  const old = await memory.records.create(acme, "m", { text: "the lake is blue" });
  await memory.records.supersede(acme, "m", old.id, { text: "the lake is green" });
  const ask = () => memory.search(acme, "m", { text: "which lake has a heron 7", topK: 50, explain: true });
  const before = await ask();
  const lines = await exported(memory);
  await store.drop(scope);
  expect(await ask()).toEqual([]);
  await memory.transfer.import(acme, "m", lines);
  expect(await ask()).toEqual(before);
  await expect(memory.transfer.import(acme, "m", lines)).rejects.toMatchObject({ kind: "conflict" });
});

test("a damaged, cut or swapped export is refused, and the memory stays empty", async () => {
  const { memory, store } = made();
  for (let index = 0; index < 100; index++) await memory.events.append(acme, "m", said(`turn ${index}`));
  const lines = await exported(memory);
  const broken = [
    lines.slice(0, -1),
    lines.with(80, (lines[80] ?? "").replace("turn", "tern")),
    lines.toSpliced(50, 1),
    ["x"],
    [],
  ];
  for (const each of broken) {
    await expect(memory.transfer.import(acme, "empty", each)).rejects.toMatchObject({ code: "MEMORY_CORRUPT" });
    expect(await store.scan({ tenant: "acme", memory: "empty" }, everything)).toEqual([]);
  }
});

test("filters choose by field and metadata, and refuse what they do not know", async () => {
  const { memory } = made();
  for (const [index, topic] of ["birds", "lakes", "birds"].entries())
    await memory.events.append(acme, "m", said(`heron ${index}`, { metadata: { topic, index } }));
  const found = async (...filters: object[]) =>
    (await memory.search(acme, "m", { text: "heron", filters: filters as never })).length;
  expect(await found({ field: "metadata.topic", operator: "EQUALS", value: "birds" })).toBe(2);
  expect(await found({ field: "metadata.topic", operator: "NOT", value: "birds" })).toBe(1);
  expect(
    await found(
      { field: "metadata.index", operator: "GT", value: 0 },
      { field: "metadata.index", operator: "LT", value: 2 },
    ),
  ).toBe(1);
  expect(await found({ field: "metadata.index", operator: "IN", value: [0, 2] })).toBe(2);
  expect(await found({ field: "metadata.topic", operator: "CONTAINS", value: "ake" })).toBe(1);
  expect(await found({ field: "metadata.constructor", operator: "EXISTS", value: true })).toBe(0);
  expect(await found({ field: "at", operator: "AFTER", value: 0 })).toBe(3);
  for (const bad of [
    { field: "tenant", operator: "EQUALS", value: "x" },
    { field: "at", operator: "LIKE", value: "x" },
  ]) {
    await expect(found(bad)).rejects.toMatchObject({ code: "MEMORY_INVALID" });
  }
});

test("a model adds, finds and supersedes through tools, and mends its own mistakes", async () => {
  const { memory } = made();
  const tools = new MemoryTools({ memory, name: "m" });
  expect((await tools.list(acme)).map(({ name }) => name)).toContain("memory_search");
  const added = (await tools.call(acme, "memory_add", { text: "Ada lives in Rome" })).structuredContent as {
    id: string;
  };
  await tools.call(acme, "memory_supersede", { id: added.id, text: "Ada lives in Oslo" });
  const { structuredContent } = await tools.call(acme, "memory_search", { text: "where does Ada live" });
  expect(structuredContent).toMatchObject({ hits: [{ text: "Ada lives in Oslo" }] });
  for (const [name, args] of [
    ["memory_supersede", { id: added.id, text: "x" }],
    ["memory_add", { tenant: "other", text: "x" }],
    ["nothing", {}],
  ] as const) {
    expect(await tools.call(acme, name, args)).toMatchObject({ isError: true });
  }
});
