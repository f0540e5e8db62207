import { expect, test } from "vitest";
import { InMemoryMemoryStore } from "./in-memory/index.ts";
import { Memory } from "./memory.ts";
import type { RecordOutcome } from "./record.ts";
import { ManualClock, SequentialIds } from "./testing/index.ts";

const acme = { principal: { tenant: "acme" } };
const scope = { tenant: "acme", memory: "m" };
const everything = { from: "!", to: "~", limit: 10_000 };
function made() {
  const [clock, store] = [new ManualClock(), new InMemoryMemoryStore()];
  return { clock, store, memory: new Memory({ store, clock, ids: new SequentialIds() }) };
}
const results = (outcomes: readonly RecordOutcome[]) =>
  outcomes.map((each) => (each.ok ? (each.record?.text ?? "gone") : each.error.kind));

test("a correction in place takes the index along, keeps what it does not name, and refuses a stale version", async () => {
  const { memory, store } = made();
  const { id } = await memory.records.create(acme, "m", { text: "a quokka", namespace: "/n", actor: "ada" });
  const changed = await memory.records.update(acme, "m", id, { text: "a heron", confidence: 0.5, version: 1 });
  expect(changed).toMatchObject({ id, text: "a heron", namespace: "/n", actor: "ada", confidence: 0.5, version: 2 });
  expect(changed.updatedAt).toBeDefined();
  expect(await memory.search(acme, "m", { text: "quokka" })).toEqual([]);
  expect(await memory.search(acme, "m", { text: "heron" })).toHaveLength(1);
  await expect(memory.records.update(acme, "m", id, { text: "x", version: 1 })).rejects.toMatchObject({
    kind: "conflict",
  });
  await expect(memory.records.update(acme, "m", id, { text: "" })).rejects.toMatchObject({ kind: "invalid" });
  await expect(memory.records.update(acme, "m", "rec_none", { text: "x" })).rejects.toMatchObject({
    kind: "not_found",
  });
  await memory.records.delete(acme, "m", id);
  const { counters } = await store.read(scope, { counters: ["records.passages", "records.length"] });
  expect(counters).toEqual([0, 0]);
  expect((await store.scan(scope, everything)).map(({ key }) => key)).toEqual(["next/record"]);
});

test("a batch tells the fate of each part, and a part that fails leaves the others alone", async () => {
  const { memory } = made();
  const [one, two] = await memory.records.createMany(acme, "m", [{ text: "one" }, { text: "two" }]);
  const outcomes = await memory.records.batch(acme, "m", [
    { action: "create", record: { text: "three" } },
    { action: "create", record: { text: "", namespace: "bad" } },
    { action: "update", record: one?.id ?? "", changes: { text: "uno" } },
    { action: "update", record: one?.id ?? "", changes: { text: "eins" } },
    { action: "delete", record: two?.id ?? "" },
    { action: "delete", record: "rec_none" },
    { action: "put", record: { text: "four", externalId: "4" } },
    { action: "create", record: { text: "vier", externalId: "4" } },
    { action: "drop" } as never,
  ]);
  expect(results(outcomes)).toEqual([
    ...["three", "invalid", "uno", "conflict", "gone", "not_found", "four", "conflict", "invalid"],
  ]);
  expect((await memory.records.list(acme, "m")).items.map(({ text }) => text)).toEqual(["uno", "three", "four"]);
});

test("an external id names one current record of its namespace", async () => {
  const { memory, clock } = made();
  const named = (text: string, more: object = {}) => ({ text, externalId: "k/1", namespace: "/n", ...more });
  const by = { namespace: "/n", externalId: "k/1" };
  const first = await memory.records.create(acme, "m", named("first", { value: { deep: [1] } }));
  await expect(memory.records.create(acme, "m", named("again"))).rejects.toMatchObject({ kind: "conflict" });
  await memory.records.create(acme, "m", named("elsewhere", { namespace: "/n/k" }));
  const second = await memory.records.supersede(acme, "m", first.id, { text: "second" });
  expect(await memory.records.get(acme, "m", by)).toMatchObject({ id: second.id, supersedes: [first.id] });
  expect(await memory.records.get(acme, "m", first.id)).not.toHaveProperty("externalId");
  await memory.records.invalidate(acme, "m", second.id);
  expect(await memory.records.get(acme, "m", by)).toBeUndefined();
  await memory.records.create(acme, "m", named("third", { expiresAt: clock.now() + 5 }));
  clock.jump(clock.now() + 5);
  expect(await memory.records.get(acme, "m", by)).toBeUndefined();
  await memory.records.create(acme, "m", named("fourth"));
  expect(await memory.records.get(acme, "m", by)).toMatchObject({ text: "fourth" });
  expect(await memory.records.delete(acme, "m", by)).toBe(true);
  expect((await memory.records.namespaces(acme, "m")).items).toEqual(["/n", "/n/k"]);
});

test("a put over a record leaves its idempotency key in force", async () => {
  const { memory } = made();
  const once = { ...acme, idempotencyKey: "k" };
  const { id } = await memory.records.create(once, "m", { text: "one", externalId: "1" });
  await memory.records.batch(acme, "m", [{ action: "put", record: { text: "two", externalId: "1" } }]);
  expect(await memory.records.create(once, "m", { text: "one", externalId: "1" })).toMatchObject({ id, text: "two" });
});

test("namespaces are listed page by page, each once", async () => {
  const { memory } = made();
  const all = ["/", "/a", "/a/b", "/a-b", "/ü/x y"];
  for (const namespace of [...all, ...all]) await memory.records.create(acme, "m", { text: "x", namespace });
  const seen: string[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await memory.records.namespaces(acme, "m", { limit: 2, ...(cursor === undefined ? {} : { cursor }) });
    seen.push(...page.items);
    cursor = page.cursor;
    if (cursor === undefined) break;
  }
  expect(seen.toSorted()).toEqual(all.toSorted());
  expect((await memory.records.namespaces(acme, "m", { namespace: "/a" })).items).toEqual(["/a", "/a/b"]);
});
