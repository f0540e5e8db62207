import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, expect, test } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { Memory } from "../memory.ts";
import { memoryStoreConformance } from "../testing/index.ts";
import { SqliteMemoryStore } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "ashlar-memory-"));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
const fresh = () => join(folder, `${files++}.db`);
const context = { principal: { tenant: "acme" } };
const said = (text: string) => ({ actor: "ada", session: "s", role: "user" as const, text });

memoryStoreConformance({ test, createStore: () => new SqliteMemoryStore({ database: new Database(":memory:") }) });

test("a file outlives its store", async () => {
  const path = fresh();
  const first = new Database(path);
  await new Memory({ store: new SqliteMemoryStore({ database: first }) }).events.append(
    context,
    "m",
    said("blue heron"),
  );
  first.close();
  const memory = new Memory({ store: new SqliteMemoryStore({ database: new Database(path) }) });
  expect(await memory.search(context, "m", { text: "heron" })).toHaveLength(1);
});

test("a file of schema version 1 opens, is found in, and goes on", async () => {
  const database = new Database(fresh());
  database.exec(readFileSync(new URL("fixtures/version-1.sql", import.meta.url), "utf8"));
  const memory = new Memory({ store: new SqliteMemoryStore({ database }) });
  const search = async (text: string) => (await memory.search(context, "m", { text })).map((hit) => hit.text);
  expect(await search("herons at lakes")).toEqual(["The heron waits by the lake."]);
  expect(await search("where does Ada live")).toEqual(["Ada lives in Oslo"]);
  expect(await memory.documents.read(context, "m", "/notes/ada.md")).toMatchObject({ text: "Likes herons." });
  await memory.events.append(context, "m", said("another heron"));
  expect(await search("heron")).toHaveLength(2);
});

test("what another connection to the file writes, deletes and drops is read at once", async () => {
  const path = fresh();
  const [writer, reader] = [1, 2].map(() => new SqliteMemoryStore({ database: new Database(path) }));
  const scope = { tenant: "acme", memory: "m" };
  const documents = async () =>
    (await reader?.read(scope, { terms: ["t"] }))?.postings[0]?.filter((_, at) => at % 3 === 0);
  const posting = (document: number) => ({ term: "t", document, frequency: 1, length: 1 });
  for (let document = 0; document < 150; document++) {
    await writer?.commit(scope, { post: [posting(document)] });
    if (document % 10 === 0) expect(await documents()).toHaveLength(document + 1);
  }
  await writer?.commit(scope, { unpost: [{ term: "t", document: 70 }] });
  expect(await documents()).not.toContain(70);
  await writer?.drop(scope);
  expect(await documents()).toEqual([]);
});

test("a store that is to outlive a power cut says so to SQLite", () => {
  const levels = (["normal", "full"] as const).map((durability) => {
    const database = new Database(fresh());
    new SqliteMemoryStore({ database, durability });
    return database.pragma("synchronous", { simple: true });
  });
  expect(levels).toEqual([1, 2]);
});

test("a newer file is refused and left as it was, a damaged one is refused, with what to do", () => {
  const newerPath = fresh();
  const newer = new Database(newerPath);
  new SqliteMemoryStore({ database: newer });
  newer.exec("UPDATE ashlar_schema SET version = 99; CREATE TABLE memory_of_the_future (v)");
  newer.pragma("wal_checkpoint(TRUNCATE)");
  const before = readFileSync(newerPath);
  expect(() => new SqliteMemoryStore({ database: newer })).toThrow(
    expect.objectContaining({ code: "MEMORY_SCHEMA_NEWER" }),
  );
  newer.close();
  expect(readFileSync(newerPath).equals(before)).toBe(true);
  const path = fresh();
  writeFileSync(path, "this is no database, and never was one".repeat(200));
  expect(() => new SqliteMemoryStore({ database: new Database(path) })).toThrow(
    expect.objectContaining({ code: "MEMORY_CORRUPT" }),
  );
});

test("a locked file is an error that can be retried, and nothing is written", async () => {
  const path = fresh();
  const store = new SqliteMemoryStore({ database: new Database(path, { timeout: 0 }) });
  const other = new Database(path);
  other.exec("BEGIN IMMEDIATE");
  const memory = new Memory({ store });
  await expect(memory.events.append(context, "m", said("x"))).rejects.toMatchObject({
    code: "MEMORY_BACKEND_FAILED",
    retryable: true,
  });
  other.exec("ROLLBACK");
  await memory.events.append(context, "m", said("x"));
  expect((await memory.events.list(context, "m", { actor: "ada", session: "s" })).items).toHaveLength(1);
});

test("a full disk leaves neither event nor index half-written", async () => {
  const database = new Database(fresh());
  const memory = new Memory({ store: new SqliteMemoryStore({ database }) });
  await memory.events.append(context, "m", said("the first"));
  database.pragma(`max_page_count = ${database.pragma("page_count", { simple: true })}`);
  const words = Array.from({ length: 5_000 }, (_, index) => `word${index}`).join(" ");
  await expect(memory.events.append(context, "m", said(words))).rejects.toThrow(/disk is full/);
  expect((await memory.events.list(context, "m", { actor: "ada", session: "s" })).items).toHaveLength(1);
  expect(await memory.search(context, "m", { text: "word1" })).toEqual([]);
});

const bytesIn = (path: string, text: string): boolean =>
  readdirSync(folder).some(
    (file) => join(folder, file).startsWith(path) && readFileSync(join(folder, file)).includes(text),
  );

hostile("a deleted text is looked for in the bytes of the file", {
  backend: "sqlite",
  control: "a plain DELETE without secure_delete leaves the words in the file and in its WAL",
  unguarded() {
    const path = fresh();
    const database = new Database(path);
    database.pragma("journal_mode = WAL");
    database.pragma("secure_delete = OFF");
    database.exec("CREATE TABLE t (text TEXT); INSERT INTO t VALUES ('the xylophone-quokka secret'); DELETE FROM t");
    expect(bytesIn(path, "xylophone-quokka")).toBe(true);
  },
  async guarded() {
    const path = fresh();
    const store = new SqliteMemoryStore({ database: new Database(path) });
    const memory = new Memory({ store });
    const event = await memory.events.append(context, "m", said("the xylophone quokka secret"));
    const record = await memory.records.create(context, "m", { text: "a quokka likes xylophone music" });
    for (let index = 0; index < 200; index++) await memory.events.append(context, "m", said(`filler ${index}`));
    expect(bytesIn(path, "quokka")).toBe(true);
    await memory.events.delete(context, "m", event.id);
    await memory.records.delete(context, "m", record.id);
    await store.compact();
    for (const word of ["quokka", "xylophon"]) expect(bytesIn(path, word)).toBe(false);
  },
});

hostile("a crash between an event and its index", {
  backend: "sqlite",
  control: "writing the row and its index one after the other leaves the row alone",
  unguarded() {
    const database = new Database(":memory:");
    database.exec("CREATE TABLE rows (v); CREATE TABLE terms (v CHECK (v <> 'two'))");
    const write = () => {
      database.exec("INSERT INTO rows VALUES ('one two')");
      for (const term of ["one", "two"]) database.prepare("INSERT INTO terms VALUES (?)").run(term);
    };
    expect(write).toThrow();
    expect(database.prepare("SELECT count(*) AS count FROM rows").get()).toEqual({ count: 1 });
  },
  async guarded() {
    const path = fresh();
    const database = new Database(path);
    const memory = new Memory({ store: new SqliteMemoryStore({ database }) });
    database.exec("CREATE TRIGGER crash BEFORE INSERT ON memory_waiting BEGIN SELECT raise(ABORT, 'crash'); END");
    await expect(memory.events.append(context, "m", said("one two three"))).rejects.toMatchObject({
      code: "MEMORY_BACKEND_FAILED",
    });
    database.exec("DROP TRIGGER crash");
    expect((await memory.events.list(context, "m", { actor: "ada", session: "s" })).items).toEqual([]);
    expect(await memory.search(context, "m", { text: "one" })).toEqual([]);
    await memory.events.append(context, "m", said("one two three"));
    expect(await memory.search(context, "m", { text: "one" })).toHaveLength(1);
  },
});
