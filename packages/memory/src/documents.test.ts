import { expect, test } from "vitest";
import { InMemoryMemoryStore } from "./in-memory/index.ts";
import { Memory } from "./memory.ts";

const acme = { principal: { tenant: "acme" } };
const made = () => {
  const store = new InMemoryMemoryStore();
  return { store, documents: new Memory({ store }).documents };
};

test("a write whose precondition is stale is refused, and every write is a version", async () => {
  const { documents } = made();
  const first = await documents.write(acme, "m", { path: "/notes/ada.md", text: "one", ifSha256: null });
  await documents.write(acme, "m", { path: "/notes/ada.md", text: "two", ifSha256: first.sha256 });
  const stale = { path: "/notes/ada.md", text: "three" };
  await expect(documents.write(acme, "m", { ...stale, ifSha256: first.sha256 })).rejects.toMatchObject({
    kind: "conflict",
  });
  await expect(documents.write(acme, "m", { ...stale, ifSha256: null })).rejects.toMatchObject({ kind: "conflict" });
  expect(await documents.read(acme, "m", "/notes/ada.md")).toMatchObject({ text: "two", version: 2 });
  expect((await documents.versions(acme, "m", "/notes/ada.md")).map(({ text }) => text)).toEqual(["one", "two"]);
});

test("of writers with one precondition one wins", async () => {
  const { documents } = made();
  const writes = ["a", "b", "c"].map((text) => documents.write(acme, "m", { path: "/x", text, ifSha256: null }));
  expect((await Promise.allSettled(writes)).filter(({ status }) => status === "fulfilled")).toHaveLength(1);
});

test("lists by prefix and depth, and a name is no prefix of a longer name", async () => {
  const { documents } = made();
  for (const path of ["/a", "/a/b", "/a/b/c", "/ab", "/a b"]) await documents.write(acme, "m", { path, text: "x" });
  const paths = async (query: object) => (await documents.list(acme, "m", query)).items.map(({ path }) => path).sort();
  expect(await paths({ prefix: "/a" })).toEqual(["/a/b", "/a/b/c"]);
  expect(await paths({ prefix: "/a", depth: 1 })).toEqual(["/a/b"]);
  expect(await paths({ depth: 1 })).toEqual(["/a", "/a b", "/ab"]);
});

test("a redacted version has no text, and the store holds none of it", async () => {
  const { documents, store } = made();
  await documents.write(acme, "m", { path: "/x", text: "quokka" });
  await expect(documents.redact(acme, "m", "/x", 1)).rejects.toMatchObject({ kind: "conflict" });
  await documents.write(acme, "m", { path: "/x", text: "heron" });
  await documents.redact(acme, "m", "/x", 1);
  const held = JSON.stringify(await store.scan({ tenant: "acme", memory: "m" }, { from: "!", to: "~", limit: 100 }));
  expect(held).not.toContain("quokka");
  await documents.delete(acme, "m", { path: "/x" });
  expect(await documents.read(acme, "m", "/x")).toBeUndefined();
  expect((await documents.versions(acme, "m", "/x")).map(({ change }) => change)).toEqual([
    "created",
    "written",
    "deleted",
  ]);
});

test("paths that climb, are relative or hold control characters are refused", async () => {
  const { documents } = made();
  for (const path of ["x", "/", "/a/", "/../x", "/a/./b", "/a\0b", "/a\nb", "/\ud800"]) {
    await expect(documents.write(acme, "m", { path, text: "x" })).rejects.toMatchObject({ code: "MEMORY_INVALID" });
  }
});
