import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, expect } from "vitest";
import { hostile } from "../../../test/support/hostile.ts";
import type { Embedder } from "./embedder.ts";
import { InMemoryMemoryStore } from "./in-memory/index.ts";
import { Memory } from "./memory.ts";
import { SqliteMemoryStore } from "./sqlite/index.ts";
import { ManualClock } from "./testing/index.ts";

const acme = { principal: { tenant: "acme" } };
const said = (text: string, more: object = {}) => ({
  actor: "ada",
  session: "s",
  role: "user" as const,
  text,
  ...more,
});
const folder = mkdtempSync(join(tmpdir(), "ashlar-hostile-"));
afterAll(() => rmSync(folder, { recursive: true }));
const bytesIn = (name: string, text: string): boolean =>
  readdirSync(folder).some((file) => file.startsWith(name) && readFileSync(join(folder, file)).includes(text));

hostile("two processes supersede one record at once", {
  control: "who reads, decides and writes without an expectation overwrites the other, and both believe they won",
  async unguarded() {
    const store = new InMemoryMemoryStore();
    const scope = { tenant: "acme", memory: "m" };
    await store.commit(scope, { put: [{ key: "fact", value: "Rome" }] });
    const wins = await Promise.all(
      ["Oslo", "Bern"].map(async (value) => {
        const { values } = await store.read(scope, { keys: ["fact"] });
        return values[0] === "Rome" && store.commit(scope, { put: [{ key: "fact", value }] });
      }),
    );
    expect(wins).toEqual([true, true]);
  },
  async guarded() {
    const path = join(folder, "supersede.db");
    const memories = [1, 2].map(() => new Memory({ store: new SqliteMemoryStore({ database: new Database(path) }) }));
    const [one, two] = memories as [Memory, Memory];
    const { id } = await one.records.create(acme, "m", { text: "Ada lives in Rome" });
    const outcomes = await Promise.allSettled([
      one.records.supersede(acme, "m", id, { text: "Ada lives in Oslo" }),
      two.records.supersede(acme, "m", id, { text: "Ada lives in Bern" }),
    ]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(outcomes.find(({ status }) => status === "rejected")).toMatchObject({ reason: { kind: "conflict" } });
    expect((await one.records.list(acme, "m")).items).toHaveLength(1);
  },
});

hostile("words in other normal forms, with right-to-left and zero-width marks inside", {
  control: "the spellings look alike and are not equal: a plain comparison misses them",
  unguarded() {
    expect(["caf\u00e9"].includes("cafe\u0301")).toBe(false);
    expect("the her\u200bon".includes("heron")).toBe(false);
  },
  async guarded() {
    const memory = new Memory({ store: new InMemoryMemoryStore() });
    for (const text of ["the cafe\u0301 is open", "\u202ea her\u200bon waits\u202c", "\ufb01sh and \uff21\uff22\uff23"])
      await memory.records.create(acme, "m", { text });
    for (const text of ["CAF\u00c9", "caf\u200fe", "heron", "\u2067heron\u2069", "fish", "abc"])
      expect(await memory.search(acme, "m", { text })).toHaveLength(1);
    await memory.records.create({ principal: { tenant: "acme\u200f" } }, "m", { text: "of a tenant that looks alike" });
    expect(await memory.search(acme, "m", { text: "tenant" })).toEqual([]);
  },
});

hostile("the same event is sent again after its answer was lost", {
  control: "an append without a key keeps it twice",
  async unguarded() {
    const memory = new Memory({ store: new InMemoryMemoryStore() });
    for (let index = 0; index < 2; index++) await memory.events.append(acme, "m", said("encore"));
    expect(await memory.search(acme, "m", { text: "encore" })).toHaveLength(2);
  },
  async guarded() {
    const inner = new InMemoryMemoryStore();
    let lose = true;
    const store = new Proxy(inner, {
      get(target, name) {
        if (name === "commit") {
          return async (...args: Parameters<InMemoryMemoryStore["commit"]>) => {
            const written = await target.commit(...args);
            if (lose) throw new Error("The answer was lost.");
            return written;
          };
        }
        return Reflect.get(target, name).bind(target);
      },
    });
    const memory = new Memory({ store });
    const once = { ...acme, idempotencyKey: "k" };
    await expect(memory.events.append(once, "m", said("encore"))).rejects.toThrow(/lost/);
    lose = false;
    const second = await memory.events.append(once, "m", said("encore"));
    expect(await memory.events.append(once, "m", said("encore"))).toEqual(second);
    expect(await memory.search(acme, "m", { text: "encore" })).toHaveLength(1);
  },
});

hostile("namespaces and names that hold each other's delimiters", {
  control: "parts joined with a slash or a colon give the same key for different places",
  unguarded() {
    expect(["a", "b/c"].join("/")).toBe(["a/b", "c"].join("/"));
  },
  async guarded() {
    const memory = new Memory({ store: new InMemoryMemoryStore() });
    const places = [
      ["/a", "b/c"],
      ["/a/b", "c"],
      ["/a%2Fb", "c"],
      ["/a:b", "c"],
      ["/a", "b%2Fc"],
      ["/", "a//b/c"],
    ] as const;
    for (const [namespace, externalId] of places)
      await memory.records.create(acme, "m", { text: `${namespace} ${externalId}`, namespace, externalId });
    for (const [namespace, externalId] of places) {
      expect(await memory.records.get(acme, "m", { namespace, externalId })).toMatchObject({
        text: `${namespace} ${externalId}`,
      });
    }
    expect((await memory.records.list(acme, "m", { namespace: "/a" })).items).toHaveLength(3);
    const actors = [
      ["a", "b/c"],
      ["a/b", "c"],
      ["a", "b%2Fc"],
    ] as const;
    for (const [actor, session] of actors) await memory.events.append(acme, "m", said("x", { actor, session }));
    for (const [actor, session] of actors)
      expect((await memory.events.list(acme, "m", { actor, session })).items).toHaveLength(1);
  },
});

hostile("a memory is exported, wiped and imported", {
  control: "rows copied without their index are there and are not found",
  async unguarded() {
    const [from, to] = [new InMemoryMemoryStore(), new InMemoryMemoryStore()];
    await new Memory({ store: from }).events.append(acme, "m", said("heron"));
    const scope = { tenant: "acme", memory: "m" };
    await to.commit(scope, { put: await from.scan(scope, { from: "!", to: "~", limit: 100 }) });
    expect(await new Memory({ store: to }).search(acme, "m", { text: "heron" })).toEqual([]);
  },
  async guarded() {
    const [store, clock] = [new InMemoryMemoryStore(), new ManualClock()];
    const memory = new Memory({ store, clock });
    await memory.definitions.put(acme, "m", { retention: { eventsMs: 1_000 } });
    for (let index = 0; index < 80; index++)
      await memory.events.append(acme, "m", said(`heron ${index % 7}`, { session: `s${index % 3}` }));
    const named = { text: "a heron", externalId: "h", namespace: "/n" };
    const { id } = await memory.records.create(acme, "m", named);
    await memory.records.supersede(acme, "m", id, { text: "a grey heron" });
    await memory.documents.write(acme, "m", { path: "/n/a.md", text: "heron" });
    const answers = async () => [
      await memory.search(acme, "m", { text: "heron 3", topK: 50, explain: true }),
      await memory.records.get(acme, "m", { namespace: "/n", externalId: "h" }),
      await memory.records.list(acme, "m", { withSuperseded: true }),
      await memory.documents.versions(acme, "m", "/n/a.md"),
      await memory.definitions.get(acme, "m"),
    ];
    const before = await answers();
    const lines: string[] = [];
    for await (const line of memory.transfer.export(acme, "m")) lines.push(line);
    await store.drop({ tenant: "acme", memory: "m" });
    await memory.transfer.import(acme, "m", lines);
    expect(await answers()).toEqual(before);
  },
});

hostile("vectors and versions of what was forgotten are looked for in the bytes of the file", {
  backend: "sqlite",
  control: "a plain UPDATE of a document without secure_delete leaves the old text in the file and in its WAL",
  unguarded() {
    const database = new Database(join(folder, "control.db"));
    database.pragma("journal_mode = WAL");
    database.pragma("secure_delete = OFF");
    database.exec("CREATE TABLE t (v TEXT); INSERT INTO t VALUES ('the quokka version'); UPDATE t SET v = 'x'");
    expect(bytesIn("control.db", "quokka version")).toBe(true);
    database.close();
  },
  async guarded() {
    const store = new SqliteMemoryStore({ database: new Database(join(folder, "forget.db")) });
    const vector = Float32Array.from({ length: 16 }, (_, index) => Math.sin(index + 1));
    const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
    const inFile = Buffer.from(vector.map((value) => value / length).buffer)
      .toString("base64")
      .slice(3, 40);
    const embed: Embedder["embed"] = async (values) => values.map(() => vector);
    const memory = new Memory({ store, embedder: { id: "e", dimensions: 16, maxBatch: 10, embed } });
    await memory.events.append(acme, "m", said("quokka turn"));
    await memory.records.create(acme, "m", { text: "quokka fact", actor: "ada", value: { deep: "quokka value" } });
    for (const text of ["quokka draft", "quokka final"])
      await memory.documents.write(acme, "m", { path: "/a.md", text });
    await memory.reembed(acme, "m");
    for (const text of ["quokka", inFile]) expect(bytesIn("forget.db", text)).toBe(true);
    await memory.lifecycle.forget(acme, "m", { actor: "ada" });
    await memory.lifecycle.forget(acme, "m", { documents: "/" });
    await store.compact();
    for (const text of ["quokka", inFile]) expect(bytesIn("forget.db", text)).toBe(false);
  },
});

hostile("the disk fills up in the middle of a batch", {
  backend: "sqlite",
  control: "rows written one by one are there up to the one that no longer fitted",
  unguarded() {
    const database = new Database(join(folder, "full-control.db"));
    database.exec("CREATE TABLE t (v TEXT)");
    database.pragma("max_page_count = 8");
    const insert = database.prepare("INSERT INTO t VALUES (?)");
    expect(() => {
      for (let index = 0; index < 100; index++) insert.run("x".repeat(1_000));
    }).toThrow(/full/);
    expect(database.prepare("SELECT count(*) AS count FROM t").get()).not.toEqual({ count: 0 });
  },
  async guarded() {
    const database = new Database(join(folder, "full.db"));
    const memory = new Memory({ store: new SqliteMemoryStore({ database }) });
    await memory.records.create(acme, "m", { text: "the first" });
    database.pragma(`max_page_count = ${Number(database.pragma("page_count", { simple: true })) + 4}`);
    const many = Array.from({ length: 400 }, (_, index) => ({ text: `heron ${index} ${"word ".repeat(50)}` }));
    await expect(memory.records.createMany(acme, "m", many)).rejects.toMatchObject({
      code: "MEMORY_BACKEND_FAILED",
      message: expect.stringContaining("disk is full"),
    });
    expect((await memory.records.list(acme, "m")).items).toHaveLength(1);
    expect(await memory.search(acme, "m", { text: "heron" })).toEqual([]);
    database.pragma("max_page_count = 100000");
    await memory.records.createMany(acme, "m", many);
    expect(await memory.search(acme, "m", { text: "heron", topK: 500 })).toHaveLength(400);
  },
});
