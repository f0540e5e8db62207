import { expect, test } from "vitest";
import { InMemoryMemoryStore } from "../in-memory/index.ts";
import { Memory } from "../memory.ts";
import { ManualClock } from "../testing/index.ts";
import { LangGraphStore } from "./index.ts";

function made() {
  const [clock, store] = [new ManualClock(), new InMemoryMemoryStore()];
  const memory = new Memory({ store, clock });
  const of = (tenant: string) => new LangGraphStore({ memory, name: "graph", principal: { tenant } });
  return { clock, memory, of, store: of("acme") };
}

test("an item is put, read, replaced and deleted, and keeps the time of its making", async () => {
  const { store, clock } = made();
  await store.put(["users", "ada"], "prefs", { theme: "dark", nested: { list: [1, "two", null] } });
  const first = await store.get(["users", "ada"], "prefs");
  expect(first?.value).toEqual({ theme: "dark", nested: { list: [1, "two", null] } });
  clock.jump(clock.now() + 1_000);
  await store.put(["users", "ada"], "prefs", { theme: "light" });
  const second = await store.get(["users", "ada"], "prefs");
  expect(second).toMatchObject({ value: { theme: "light" }, createdAt: first?.createdAt });
  expect(second?.updatedAt.getTime()).toBe((first?.createdAt.getTime() ?? 0) + 1_000);
  await store.delete(["users", "ada"], "prefs");
  await store.delete(["users", "ada"], "prefs");
  expect(await store.get(["users", "ada"], "prefs")).toBeNull();
});

test("a search ranks by words below its prefix, leaves the rest out, and never reaches another tenant", async () => {
  const { store, of } = made();
  await store.put(["docs", "a"], "1", { title: "herons by the lake", pages: [{ text: "quokka" }] });
  await store.put(["docs", "b"], "2", { title: "cars" });
  await store.put(["docs-old"], "3", { title: "herons" });
  await of("other").put(["docs"], "4", { title: "herons" });
  expect((await store.search(["docs"], { query: "heron" })).map(({ key }) => key)).toEqual(["1"]);
  expect((await store.search([], { query: "herons" })).map(({ key }) => key).sort()).toEqual(["1", "3"]);
  expect((await store.search(["docs"])).map(({ key, score }) => [key, score])).toEqual([
    ["1", undefined],
    ["2", undefined],
  ]);
  await store.put(["docs", "a"], "1", { title: "herons", pages: [{ text: "quokka" }] }, ["pages[*].text"]);
  expect(await store.search(["docs"], { query: "heron" })).toEqual([]);
  expect(await store.search(["docs"], { query: "quokka" })).toHaveLength(1);
  await store.put(["docs", "a"], "1", { title: "herons" }, false);
  expect(await store.search(["docs"], { query: "heron" })).toEqual([]);
  expect(await store.get(["docs", "a"], "1")).toMatchObject({ value: { title: "herons" } });
});

test("labels with slashes, percent signs and other scripts stay apart and come back as they were", async () => {
  const { store } = made();
  const namespaces = [["a/b"], ["a", "b"], ["a%2Fb"], ["ü", "日本"], ["a b"]];
  for (const [index, namespace] of namespaces.entries()) await store.put(namespace, "k", { index });
  for (const [index, namespace] of namespaces.entries())
    expect(await store.get(namespace, "k")).toMatchObject({ namespace, value: { index } });
  expect((await store.listNamespaces()).toSorted()).toEqual(namespaces.toSorted());
  for (const namespace of [[], [""], ["a.b"], ["a:b"], ["\ud800"], ["langgraph"], [1 as never]])
    await expect(store.put(namespace, "k", {})).rejects.toMatchObject({ code: "MEMORY_INVALID" });
});
