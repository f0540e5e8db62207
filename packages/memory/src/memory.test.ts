import Database from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hostile } from "../../../test/support/hostile.ts";
import { InMemoryMemoryStore } from "./in-memory/index.ts";
import { Memory } from "./memory.ts";
import type { MemoryStore } from "./memory-store.ts";
import { SessionMemoryAdapter } from "./session-memory-adapter.ts";
import { SqliteMemoryStore } from "./sqlite/index.ts";
import { ManualClock, SequentialIds } from "./testing/index.ts";

const acme = { principal: { tenant: "acme" } };
const said = (text: string, more: object = {}) => ({
  actor: "ada",
  session: "s1",
  role: "user" as const,
  text,
  ...more,
});
function made(store: MemoryStore = new InMemoryMemoryStore()) {
  const clock = new ManualClock();
  return { clock, memory: new Memory({ store, clock, ids: new SequentialIds() }) };
}

describe("events", () => {
  test("pages run both ways over the same order", async () => {
    const { memory } = made();
    for (let index = 0; index < 7; index++) await memory.events.append(acme, "m", said(`turn ${index}`));
    for (const reverse of [false, true]) {
      const seen: number[] = [];
      for (let cursor: string | undefined; ; ) {
        const page = await memory.events.list(acme, "m", {
          actor: "ada",
          session: "s1",
          limit: 3,
          reverse,
          ...(cursor === undefined ? {} : { cursor }),
        });
        seen.push(...page.items.map(({ position }) => position));
        cursor = page.cursor;
        if (cursor === undefined) break;
      }
      expect(seen).toEqual(reverse ? [6, 5, 4, 3, 2, 1, 0] : [0, 1, 2, 3, 4, 5, 6]);
    }
  });

  test("a branch shares its past up to the fork and nothing after", async () => {
    const { memory } = made();
    const [, second] = [
      await memory.events.append(acme, "m", said("one")),
      await memory.events.append(acme, "m", said("two")),
    ];
    await memory.events.append(acme, "m", said("three"));
    await memory.events.fork(acme, "m", { from: second.id, branch: "other" });
    await memory.events.append(acme, "m", said("drei", { branch: "other" }));
    const texts = async (query: object) =>
      (await memory.events.list(acme, "m", { actor: "ada", session: "s1", ...query })).items.map(
        ({ items }) => (items[0] as { text: string }).text,
      );
    expect(await texts({ branch: "other" })).toEqual(["one", "two", "drei"]);
    expect(await texts({ branch: "other", withParents: false })).toEqual(["drei"]);
    expect(await texts({})).toEqual(["one", "two", "three"]);
  });

  test("a repeated idempotency key returns the first event", async () => {
    const { memory } = made();
    const once = { ...acme, idempotencyKey: "k" };
    const [first, second] = await Promise.all([
      memory.events.append(once, "m", said("hello")),
      memory.events.append(once, "m", said("hello")),
    ]);
    expect(second).toEqual(first);
    expect((await memory.events.list(acme, "m", { actor: "ada", session: "s1" })).items).toHaveLength(1);
  });

  test("an expired event is neither listed nor found", async () => {
    const { memory, clock } = made();
    await memory.events.append(acme, "m", said("soon gone", { expiresAt: clock.now() + 10 }));
    expect(await memory.search(acme, "m", { text: "gone" })).toHaveLength(1);
    clock.jump(clock.now() + 10);
    expect(await memory.search(acme, "m", { text: "gone" })).toEqual([]);
    expect((await memory.events.list(acme, "m", { actor: "ada", session: "s1" })).items).toEqual([]);
  });
});

describe("records", () => {
  test("a superseded record is history: found as of then, never as current", async () => {
    const { memory, clock } = made();
    const old = await memory.records.create(acme, "m", { text: "Ada lives in Rome", namespace: "/facts" });
    clock.jump(clock.now() + 1_000);
    const before = clock.now();
    clock.jump(clock.now() + 1_000);
    const next = await memory.records.supersede(acme, "m", old.id, { text: "Ada lives in Oslo" });
    const ids = async (query: object) =>
      (await memory.search(acme, "m", { text: "where does Ada live", ...query })).map(({ id }) => id);
    expect(await ids({})).toEqual([next.id]);
    expect(await ids({ asOf: before })).toEqual([old.id]);
    expect(await ids({ validAt: before })).toEqual([old.id]);
    expect((await memory.records.list(acme, "m", { namespace: "/facts", asOf: before })).items).toEqual([old]);
    expect((await memory.records.list(acme, "m", { withSuperseded: true })).items).toHaveLength(2);
  });

  test("what was known at every instant can be read again, whatever came later", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom("create", "supersede", "invalidate"), fc.nat(20)), { maxLength: 15 }),
        async (steps) => {
          const { memory, clock } = made();
          const snapshots: [number, unknown][] = [];
          const read = async (asOf?: number) =>
            (await memory.records.list(acme, "m", asOf === undefined ? {} : { asOf })).items;
          for (const [step, pick] of steps) {
            clock.jump(clock.now() + 10);
            const current = await read();
            const target = current[pick % Math.max(1, current.length)];
            if (step === "create" || target === undefined)
              await memory.records.create(acme, "m", { text: `fact ${pick}` });
            else if (step === "supersede")
              await memory.records.supersede(acme, "m", target.id, { text: `newer ${pick}` });
            else await memory.records.invalidate(acme, "m", target.id);
            snapshots.push([clock.now(), await read()]);
          }
          clock.jump(clock.now() + 10);
          for (const [at, then] of snapshots) expect(await read(at)).toEqual(then);
        },
      ),
      { numRuns: 30 },
    );
  });

  test("of those who supersede one record at once one wins, the others get a conflict", async () => {
    const { memory } = made(new SqliteMemoryStore({ database: new Database(":memory:") }));
    const { id } = await memory.records.create(acme, "m", { text: "x" });
    const results = await Promise.allSettled(
      [1, 2, 3].map((n) => memory.records.supersede(acme, "m", id, { text: `x${n}` })),
    );
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const result of results)
      if (result.status === "rejected") expect(result.reason).toMatchObject({ kind: "conflict" });
  });

  test("a namespace is read exactly or with everything below", async () => {
    const { memory } = made();
    for (const namespace of ["/a", "/a/b", "/ab", "/"])
      await memory.records.create(acme, "m", { text: namespace, namespace });
    const listed = async (query: object) =>
      (await memory.records.list(acme, "m", query)).items.map(({ namespace }) => namespace);
    expect(await listed({ namespace: "/a" })).toEqual(["/a", "/a/b"]);
    expect(await listed({ namespace: "/a", exact: true })).toEqual(["/a"]);
    expect((await listed({})).sort()).toEqual(["/", "/a", "/a/b", "/ab"]);
  });
});

describe("search", () => {
  test("the answer two turns after the question is found through its neighbours, and explained", async () => {
    const { memory } = made();
    await memory.events.append(acme, "m", said("Which colour should the kitchen get?"));
    await memory.events.append(acme, "m", said("Hm, let me see.", { role: "assistant" }));
    await memory.events.append(acme, "m", said("Green."));
    const hits = await memory.search(acme, "m", { text: "kitchen colour", explain: true });
    expect(hits.map(({ text }) => text)).toContain("Green.");
    const last = hits.find(({ text }) => text === "Green.");
    expect(last?.explanation).toMatchObject({ own: 0, terms: {} });
    expect(last?.explanation?.neighbours).toBeGreaterThan(0);
  });

  test("every store ranks alike, to the last bit of the score", async () => {
    const words = fc.constantFrom(
      "heron",
      "blue",
      "kitchen",
      "paint",
      "who",
      "Ada",
      "rain?",
      "Oslo",
      "trip",
      "cake",
      "2023",
    );
    const turn = fc.record({
      text: fc.array(words, { minLength: 1, maxLength: 80 }).map((list) => list.join(" ")),
      session: fc.constantFrom("a", "b", "c"),
      speaker: fc.constantFrom("Ada", "Ben"),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(turn, { minLength: 1, maxLength: 40 }),
        fc.array(words, { minLength: 1, maxLength: 5 }),
        async (turns, query) => {
          const answers: unknown[] = [];
          for (const store of [
            new InMemoryMemoryStore(),
            new SqliteMemoryStore({ database: new Database(":memory:") }),
          ]) {
            const { memory } = made(store);
            for (const each of turns) await memory.events.append(acme, "m", { ...said(each.text), ...each });
            answers.push(await memory.search(acme, "m", { text: query.join(" "), topK: 50 }));
          }
          expect(answers[1]).toEqual(answers[0]);
        },
      ),
      { numRuns: 25 },
    );
  });
});

hostile("metadata and payload named like the scope's parts", {
  control: "a store that spreads metadata over its scope hands one tenant's words to another",
  unguarded() {
    const metadata = { tenant: "victim" };
    const scope = Object.assign({ tenant: "acme", memory: "m" }, metadata);
    expect(scope.tenant).toBe("victim");
  },
  async guarded() {
    const { memory } = made();
    const metadata = { tenant: "victim", memory: "other", scope: "victim" };
    await memory.events.append(acme, "m", said("planted words", { metadata }));
    await expect(memory.events.append(acme, "m", said("x", { tenant: "victim" }))).rejects.toMatchObject({
      kind: "invalid",
    });
    for (const name of ["m", "other"]) {
      expect(await memory.search({ principal: { tenant: "victim" } }, name, { text: "planted words" })).toEqual([]);
    }
  },
});

hostile("a query that is code for the backend", {
  control: "text pasted into SQL is run as SQL",
  unguarded() {
    const database = new Database(":memory:");
    database.exec("CREATE TABLE t (v TEXT); INSERT INTO t VALUES ('secret')");
    const query = "x' OR '1'='1";
    expect(database.prepare(`SELECT v FROM t WHERE v = '${query}'`).all()).toHaveLength(1);
  },
  async guarded() {
    const { memory } = made(new SqliteMemoryStore({ database: new Database(":memory:") }));
    await memory.events.append(acme, "m", said("secret"));
    for (const text of [
      "x' OR 'z'='z",
      '"* OR secre*',
      "%",
      "secr_t",
      "NEAR(a b)",
      "return redis.call('FLUSHALL')",
      "\0",
      "\u202eterces",
    ]) {
      expect(await memory.search(acme, "m", { text })).toEqual([]);
    }
    expect(await memory.search(acme, "m", { text: "secret" })).toHaveLength(1);
  },
});

hostile("a query of 10 MB", {
  control: "the text itself splits into more than a million words",
  unguarded() {
    expect("word ".repeat(2_000_000).split(" ").length).toBeGreaterThan(1_000_000);
  },
  async guarded() {
    const { memory } = made();
    await expect(memory.search(acme, "m", { text: "word ".repeat(2_000_000) })).rejects.toMatchObject({
      code: "MEMORY_TOO_LARGE",
    });
  },
});

hostile("a clock that steps back", {
  control: "order by time puts the later turn first",
  unguarded() {
    expect(
      [
        { at: 5, text: "first" },
        { at: 4, text: "second" },
      ].sort((a, b) => a.at - b.at)[0]?.text,
    ).toBe("second");
  },
  async guarded() {
    const { memory, clock } = made();
    await memory.events.append(acme, "m", said("first"));
    const rome = await memory.records.create(acme, "m", { text: "Ada lives in Rome" });
    const bern = await memory.records.create(acme, "m", { text: "Ben lives in Bern" });
    const oslo = await memory.records.supersede(acme, "m", rome.id, { text: "Ada lives in Oslo" });
    clock.jump(clock.now() - 60_000);
    const current = async () => [
      (await memory.records.list(acme, "m")).items.map(({ id }) => id).toSorted(),
      (await memory.search(acme, "m", { text: "who lives where", sources: ["records"] }))
        .map(({ id }) => id)
        .toSorted(),
    ];
    expect(await current()).toEqual([
      [bern.id, oslo.id],
      [bern.id, oslo.id],
    ]);
    const lima = await memory.records.supersede(acme, "m", oslo.id, { text: "Ada lives in Lima" });
    expect(await current()).toEqual([
      [bern.id, lima.id],
      [bern.id, lima.id],
    ]);
    await memory.events.append(acme, "m", said("second"));
    const { items } = await memory.events.list(acme, "m", { actor: "ada", session: "s1" });
    expect(items.map(({ position }) => position)).toEqual([0, 1]);
    expect(items[0]?.at).toBeGreaterThan(items[1]?.at ?? 0);
  },
});

test("bad input is refused before anything is written", async () => {
  const { memory } = made();
  const bad = [
    said("x", { at: Number.NaN }),
    said("\ud800"),
    said("x", { actor: "" }),
    said("x".repeat(100_001)),
    { actor: "a", session: "s", items: [] },
  ];
  for (const event of bad)
    await expect(memory.events.append(acme, "m", event)).rejects.toMatchObject({ kind: "invalid" });
  for (const namespace of ["a", "/a/", "//", "/a//b"]) {
    await expect(memory.records.create(acme, "m", { text: "x", namespace })).rejects.toMatchObject({
      code: "MEMORY_INVALID",
    });
  }
  await expect(memory.search({ principal: { tenant: "" } }, "m", { text: "x" })).rejects.toMatchObject({
    kind: "invalid",
  });
  expect((await memory.records.list(acme, "m")).items).toEqual([]);
});

test("a session remembers per tenant and recalls what was said", async () => {
  const { memory } = made();
  const adapter = new SessionMemoryAdapter({ memory, name: "sessions" });
  const context = { principal: { tenant: "acme", user: "ada", session: "ses_1" } };
  await adapter.remember(context, { role: "user", text: "I prefer refunds to my card.", at: 5 });
  expect(await adapter.recall(context, { text: "refund preference", limit: 3 })).toMatchObject([
    { text: "I prefer refunds to my card.", at: 5 },
  ]);
  expect(await adapter.recall({ principal: { tenant: "other" } }, { text: "refund" })).toEqual([]);
});

hostile("a cursor that points outside its list", {
  control: "a range that begins where a caller says reads what lies before it",
  unguarded() {
    const held = ["id/x", "namespace/a/", "namespace/b/"];
    expect(held.filter((key) => key >= "a" && key < "namespace/a0")).toContain("id/x");
  },
  async guarded() {
    const { memory } = made();
    await memory.records.create(acme, "m", { text: "x", namespace: "/a" });
    await memory.events.append(acme, "m", said("x"));
    for (const cursor of ["", "a", "event/", "~"]) {
      await expect(memory.records.list(acme, "m", { namespace: "/a", cursor })).rejects.toMatchObject({
        kind: "invalid",
      });
      await expect(memory.documents.list(acme, "m", { cursor })).rejects.toMatchObject({ kind: "invalid" });
    }
    for (const limit of [0, -1, 1.5, Number.NaN]) {
      await expect(memory.records.list(acme, "m", { limit })).rejects.toMatchObject({ kind: "invalid" });
    }
  },
});
