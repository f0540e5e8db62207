import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { hostile } from "../../../test/support/hostile.ts";
import { lengthEmbedder } from "./fixtures/length-embedder.ts";
import { InMemoryMemoryStore, Memory, MemoryError } from "./index.ts";
import { SqliteMemoryStore } from "./sqlite/index.ts";

const acme = { principal: { tenant: "acme" } };
const scope = { tenant: "acme", memory: "m" };
const everything = { from: "!", to: "~", limit: 1_000 };
const turn = { actor: "ada", session: "s", role: "user", text: "heron" } as const;
const folder = mkdtempSync(join(tmpdir(), "ashlar-bad-input-"));
afterAll(() => rmSync(folder, { recursive: true }));
function made() {
  const store = new InMemoryMemoryStore();
  return { store, memory: new Memory({ store, embedder: lengthEmbedder }) };
}
const refused = (code: string) => ({ code, message: expect.stringMatching(/\w.{10,}/) });
/** A database that takes what it is given. */
function table() {
  const database = new Database(":memory:");
  database.exec("CREATE TABLE t (v TEXT)");
  return {
    insert: (text: string) => database.prepare("INSERT INTO t VALUES (?)").run(text),
    rows: () => (database.prepare("SELECT v FROM t").all() as { v: string }[]).map(({ v }) => v),
  };
}

hostile("an event over its limits", {
  control: "a plain table takes 11 MB in one row",
  unguarded() {
    const { insert, rows } = table();
    insert("x".repeat(11_000_000));
    expect(rows()[0]).toHaveLength(11_000_000);
  },
  async guarded() {
    const { memory, store } = made();
    const item = { type: "conversational", role: "user", text: "x".repeat(99_000) } as const;
    const where = { actor: "ada", session: "s" };
    for (const event of [
      { ...turn, text: "x".repeat(100_001) },
      { ...turn, text: "é".repeat(50_001) },
      { ...where, items: Array.from({ length: 102 }, () => item) },
      { ...where, items: [{ type: "json", value: { deep: "x".repeat(100_001) } } as const] },
      { ...where, items: [{ type: "blob", mediaType: "a/b", base64: "AAAA".repeat(30_000) } as const] },
      { ...turn, metadata: { long: "x".repeat(20_000) } },
    ])
      await expect(memory.events.append(acme, "m", event)).rejects.toMatchObject(refused("MEMORY_TOO_LARGE"));
    for (const text of ["x".repeat(100_001)])
      await expect(memory.records.create(acme, "m", { text })).rejects.toMatchObject(refused("MEMORY_TOO_LARGE"));
    await expect(memory.documents.write(acme, "m", { path: "/a", text: "x".repeat(1_000_001) })).rejects.toMatchObject(
      refused("MEMORY_TOO_LARGE"),
    );
    expect(await store.scan(scope, everything)).toEqual([]);
    await memory.events.append(acme, "m", { ...where, items: Array.from({ length: 100 }, () => item) });
  },
});

hostile("namespaces and names that are none", {
  control: "paths joined by hand climb, collide, or hold what a key cannot",
  unguarded() {
    expect(join("/facts/ada", "../../secrets")).toBe("/secrets");
    expect(() => encodeURIComponent("\ud800")).toThrow(URIError);
  },
  async guarded() {
    const { memory, store } = made();
    const namespaces = ["a", "", "/a/", "//", "/a//b", "/\ud800", `/${"日".repeat(400)}`, 5 as never, null as never];
    for (const namespace of namespaces) {
      for (const call of [
        () => memory.records.create(acme, "m", { text: "x", namespace }),
        () => memory.records.list(acme, "m", { namespace }),
        () => memory.records.namespaces(acme, "m", { namespace }),
        () => memory.search(acme, "m", { text: "x", namespace }),
        () => memory.records.get(acme, "m", { namespace, externalId: "x" }),
        () => memory.reflections.propose(acme, "m", { namespace }),
      ])
        await expect(call()).rejects.toMatchObject(refused("MEMORY_INVALID"));
    }
    for (const name of ["", "x".repeat(257), "\udfff", "日".repeat(100), 5 as never, undefined as never]) {
      for (const call of [
        () => memory.events.append(acme, "m", { ...turn, actor: name }),
        () => memory.events.list(acme, "m", { actor: "ada", session: name }),
        () => memory.lifecycle.forget(acme, "m", { actor: name }),
      ])
        await expect(call()).rejects.toMatchObject(refused("MEMORY_INVALID"));
    }
    expect(await store.scan(scope, everything)).toEqual([]);
  },
});

hostile("an empty session in a request to forget one", {
  control: "a prefix built from an empty part covers every session of the actor",
  unguarded() {
    const sessions = ["ada/s1", "ada/s2"];
    const prefix = ["ada", ""].filter((part) => part !== "").join("/");
    expect(sessions.filter((key) => key.startsWith(prefix))).toHaveLength(2);
  },
  async guarded() {
    const { memory } = made();
    await memory.events.append(acme, "m", turn);
    for (const target of [{ actor: "ada", session: "" }, { actor: "" }, {}, { documents: "" }, null]) {
      await expect(memory.lifecycle.forget(acme, "m", target as never)).rejects.toMatchObject(
        refused("MEMORY_INVALID"),
      );
    }
    expect(await memory.search(acme, "m", { text: "heron" })).toHaveLength(1);
  },
});

hostile("a filter of an unknown kind or field", {
  control: "a filter that is not understood and skipped lets everything through",
  unguarded() {
    const operators: Record<string, (a: unknown, b: unknown) => boolean> = { EQUALS: (a, b) => a === b };
    const passes = (operator: string) => operators[operator]?.("mine", "yours") ?? true;
    expect(passes("EQUAL")).toBe(true);
  },
  async guarded() {
    const { memory } = made();
    await memory.events.append(acme, "m", turn);
    for (const filter of [
      { field: "metadata.a", operator: "EQUAL", value: "x" },
      { field: "tenant", operator: "EQUALS", value: "x" },
      { field: "__proto__", operator: "EXISTS", value: true },
      { field: "at", operator: "GT", value: "5" },
      { field: "metadata.a", operator: "IN", value: "x" },
      { field: "metadata.a", operator: "EQUALS", value: { a: 1 } },
      { field: "metadata.a" },
    ] as never[]) {
      for (const call of [
        () => memory.search(acme, "m", { text: "heron", filters: [filter] }),
        () => memory.events.list(acme, "m", { actor: "ada", session: "s", filters: [filter] }),
        () => memory.records.list(acme, "m", { filters: [filter] }),
      ])
        await expect(call()).rejects.toMatchObject(refused("MEMORY_INVALID"));
    }
  },
});

hostile("a foreign scope named in a payload, an id or a cursor", {
  control: "a table that is asked by id alone gives one tenant's row to another",
  unguarded() {
    const rows = new Map([["rec_1", { tenant: "victim", text: "secret" }]]);
    expect(rows.get("rec_1")?.text).toBe("secret");
  },
  async guarded() {
    const { memory } = made();
    const victim = { principal: { tenant: "victim" } };
    const record = await memory.records.create(victim, "m", { text: "heron secret", externalId: "x" });
    for (let index = 0; index < 3; index++) await memory.events.append(victim, "m", turn);
    const { items, cursor } = await memory.events.list(victim, "m", { actor: "ada", session: "s", limit: 1 });
    const event = items[0]?.id ?? "";
    expect(await memory.records.get(acme, "m", record.id)).toBeUndefined();
    expect(await memory.records.get(acme, "m", { externalId: "x" })).toBeUndefined();
    expect(await memory.events.get(acme, "m", event)).toBeUndefined();
    expect(await memory.events.delete(acme, "m", event)).toBe(false);
    await expect(memory.records.supersede(acme, "m", record.id, { text: "x" })).rejects.toMatchObject(
      refused("MEMORY_NOT_FOUND"),
    );
    await expect(memory.events.fork(acme, "m", { from: event, branch: "b" })).rejects.toMatchObject(
      refused("MEMORY_NOT_FOUND"),
    );
    await expect(
      memory.events.list(acme, "m", { actor: "ada", session: "s", cursor: cursor ?? "" }),
    ).rejects.toMatchObject(refused("MEMORY_INVALID"));
    for (const extra of [{ tenant: "victim" }, { scope: { tenant: "victim", memory: "m" } }]) {
      await expect(memory.search(acme, "m", { text: "heron", ...extra })).rejects.toMatchObject(
        refused("MEMORY_INVALID"),
      );
    }
    for (const principal of [undefined, {}, { tenant: "" }, { tenant: 5 }]) {
      await expect(memory.search({ principal } as never, "m", { text: "heron" })).rejects.toMatchObject(
        refused("MEMORY_INVALID"),
      );
    }
  },
});

hostile("vectors of wrong dimensions, or none", {
  control: "a product of two vectors that stops at the shorter one looks like a score",
  unguarded() {
    const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, at) => sum + x * (b[at] ?? 0), 0);
    expect(dot([1, 2, 3], [1])).toBe(1);
  },
  async guarded() {
    const { store, memory } = made();
    await memory.records.create(acme, "m", { text: "heron" });
    for (const embed of [
      async () => [[1]],
      async () => [],
      async () => [new Array<number>(26).fill(Number.NaN)],
      async () => [new Array<number>(26).fill(Number.POSITIVE_INFINITY)],
      async () => ["x".repeat(26)],
      async () => undefined,
    ]) {
      const wrong = new Memory({ store, embedder: { ...lengthEmbedder, embed: embed as never } });
      await expect(wrong.reembed(acme, "m")).rejects.toMatchObject(refused("MEMORY_DIMENSIONS"));
    }
    expect(await store.scan(scope, { ...everything, from: "vector/", to: "vector0" })).toEqual([]);
    expect(await memory.reembed(acme, "m")).toBe(1);
  },
});

hostile("a file that another process holds locked", {
  backend: "sqlite",
  control: "the driver's own error says neither what to do nor whether to try again",
  unguarded() {
    const path = join(folder, "locked-control.db");
    const [one, two] = [new Database(path), new Database(path, { timeout: 0 })];
    one.exec("CREATE TABLE t (v); BEGIN IMMEDIATE");
    expect(() => two.exec("INSERT INTO t VALUES (1)")).toThrow(/^database is locked$/);
  },
  async guarded() {
    const path = join(folder, "locked.db");
    const memory = new Memory({ store: new SqliteMemoryStore({ database: new Database(path, { timeout: 0 }) }) });
    const other = new Database(path);
    other.exec("BEGIN IMMEDIATE");
    await expect(memory.events.append(acme, "m", turn)).rejects.toMatchObject({
      ...refused("MEMORY_BACKEND_FAILED"),
      retryable: true,
      message: expect.stringContaining("repeat the call"),
    });
    other.exec("ROLLBACK");
    expect((await memory.events.list(acme, "m", { actor: "ada", session: "s" })).items).toEqual([]);
    await memory.events.append(acme, "m", turn);
    expect(await memory.search(acme, "m", { text: "heron" })).toHaveLength(1);
  },
});

hostile("a file that is damaged in the middle", {
  backend: "sqlite",
  control: "the driver opens it without a word",
  unguarded() {
    const path = damaged("damaged-control.db");
    expect(() => new Database(path).pragma("user_version")).not.toThrow();
  },
  async guarded() {
    const path = damaged("damaged.db");
    const attempt = async () => {
      const memory = new Memory({ store: new SqliteMemoryStore({ database: new Database(path) }) });
      for (let index = 0; index < 400; index++) await memory.search(acme, "m", { text: `word${index}x` });
      await memory.records.list(acme, "m", { limit: 1_000 });
    };
    await expect(attempt()).rejects.toMatchObject({
      ...refused("MEMORY_CORRUPT"),
      retryable: false,
      message: expect.stringMatching(/restore|import/),
    });
  },
});

/** A database of a memory whose inner pages are overwritten. */
function damaged(name: string): string {
  const path = join(folder, name);
  const database = new Database(path);
  const store = new SqliteMemoryStore({ database });
  for (let index = 0; index < 400; index++) {
    void store.commit(scope, {
      put: [{ key: `record/${index}`, value: "x".repeat(500) }],
      post: [{ term: `r:word${index}x`, document: index, frequency: 1, length: 1 }],
    });
  }
  database.pragma("wal_checkpoint(TRUNCATE)");
  database.close();
  const bytes = readFileSync(path);
  bytes.fill(0xff, 4_096 * 8);
  writeFileSync(path, bytes);
  return path;
}

hostile("a batch with one bad part among good ones", {
  control: "a loop that stops at the first failure leaves the rest undone, without saying which",
  unguarded() {
    const { insert, rows } = table();
    expect(() => {
      for (const text of ["one", undefined as never, "three"]) insert(text.toUpperCase());
    }).toThrow();
    expect(rows()).toEqual(["ONE"]);
  },
  async guarded() {
    const { memory } = made();
    const outcomes = await memory.records.batch(acme, "m", [
      { action: "create", record: { text: "one" } },
      { action: "create", record: { text: "x".repeat(100_001) } },
      null as never,
      { action: "update", record: 5 as never, changes: {} },
      { action: "create", record: { text: "three" } },
    ]);
    expect(outcomes.map((each) => (each.ok ? each.record?.text : each.error.code))).toEqual([
      ...["one", "MEMORY_TOO_LARGE", "MEMORY_INVALID", "MEMORY_INVALID", "three"],
    ]);
    const many = Array.from({ length: 501 }, () => ({ action: "create", record: { text: "x" } }) as const);
    await expect(memory.records.batch(acme, "m", many)).rejects.toMatchObject(refused("MEMORY_TOO_LARGE"));
    for (const parts of [undefined, {}, "x"])
      await expect(memory.records.createMany(acme, "m", parts as never)).rejects.toMatchObject({ kind: "invalid" });
  },
});

test("whatever is handed in, what comes out is an answer or a typed error, and nothing of it is left behind", async () => {
  const calls: readonly ((memory: Memory, anything: never) => unknown)[] = [
    (memory, any) => memory.events.append(acme, "m", any),
    (memory, any) => memory.events.append({ ...acme, idempotencyKey: any }, "m", turn),
    (memory, any) => memory.events.append(any, "m", turn),
    (memory, any) => memory.events.list(acme, "m", any),
    (memory, any) => memory.events.get(acme, "m", any),
    (memory, any) => memory.events.fork(acme, "m", any),
    (memory, any) => memory.events.branches(acme, "m", any),
    (memory, any) => memory.events.delete(acme, "m", any),
    (memory, any) => memory.records.create(acme, "m", any),
    (memory, any) => memory.records.create(acme, any, { text: "x" }),
    (memory, any) => memory.records.createMany(acme, "m", any),
    (memory, any) => memory.records.batch(acme, "m", any),
    (memory, any) => memory.records.get(acme, "m", any),
    (memory, any) => memory.records.update(acme, "m", "rec_1", any),
    (memory, any) => memory.records.update(acme, "m", any, { text: "x" }),
    (memory, any) => memory.records.list(acme, "m", any),
    (memory, any) => memory.records.namespaces(acme, "m", any),
    (memory, any) => memory.records.supersede(acme, "m", any, { text: "x" }),
    (memory, any) => memory.records.supersede(acme, "m", "rec_1", any),
    (memory, any) => memory.records.invalidate(acme, "m", any),
    (memory, any) => memory.records.delete(acme, "m", any),
    (memory, any) => memory.search(acme, "m", any),
    (memory, any) => memory.search(any, "m", { text: "x" }),
    (memory, any) => memory.documents.write(acme, "m", any),
    (memory, any) => memory.documents.read(acme, "m", any),
    (memory, any) => memory.documents.list(acme, "m", any),
    (memory, any) => memory.documents.versions(acme, "m", any),
    (memory, any) => memory.documents.redact(acme, "m", any, 1),
    (memory, any) => memory.documents.redact(acme, "m", "/a", any),
    (memory, any) => memory.documents.delete(acme, "m", any),
    (memory, any) => memory.definitions.put(acme, "m", any),
    (memory, any) => memory.definitions.get(acme, "m", any),
    (memory, any) => memory.definitions.list(acme, any),
    (memory, any) => memory.extraction.run(acme, "m", any),
    (memory, any) => memory.extraction.list(acme, "m", any),
    (memory, any) => memory.extraction.redrive(acme, "m", any),
    (memory, any) => memory.reflections.propose(acme, "m", any),
    (memory, any) => memory.reflections.apply(acme, "m", any),
    (memory, any) => memory.lifecycle.forget(acme, "m", any),
    (memory, any) => memory.transfer.import(acme, "m", any),
  ];
  const anything = fc.oneof(
    fc.constantFrom<unknown>(
      undefined,
      null,
      "",
      "\ud800",
      "\0",
      0,
      -1,
      Number.NaN,
      Infinity,
      true,
      [],
      {},
      [[]],
      [null],
    ),
    fc.constantFrom<unknown>(
      { limit: 0 },
      { cursor: "~" },
      { cursor: 5 },
      { actor: "\ud800" },
      { text: 5 },
      { session: "s" },
    ),
    fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true, withMap: true, maxDepth: 2 }),
    fc.record({ text: fc.anything(), namespace: fc.anything(), actor: fc.anything(), path: fc.anything() }),
    fc.string({ unit: "binary", maxLength: 300 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.nat(calls.length - 1), anything, async (which, given) => {
      const { memory, store } = made();
      const before = JSON.stringify(await store.scan(scope, everything));
      try {
        await calls[which]?.(memory, given as never);
      } catch (error) {
        expect(MemoryError.is(error) ? "typed" : `call ${which}: ${String(error)}`).toBe("typed");
        expect(JSON.stringify(await store.scan(scope, everything))).toBe(before);
      }
    }),
    { numRuns: 500 },
  );
});
