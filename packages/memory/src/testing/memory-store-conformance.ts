import assert from "node:assert/strict";
import { MemoryError } from "../errors.ts";
import type { Entry, MemoryStore, Posting, Scope } from "../memory-store.ts";
import type { TestFunction } from "./suite.ts";

export interface MemoryStoreConformanceOptions {
  readonly test: TestFunction;
  /** An empty store, another at every call. */
  readonly createStore: () => MemoryStore | Promise<MemoryStore>;
}

const ada: Scope = { tenant: "acme", memory: "ada" };
const whole = { from: "", to: "~", limit: 100 };
const entry = (key: string, value = key): Entry => ({ key, value });
const keysOf = (entries: readonly Entry[]): string[] => entries.map(({ key }) => key);

/** The law of `MemoryStore`: run it with your runner's `test` on your own store. */
export function memoryStoreConformance({ test, createStore }: MemoryStoreConformanceOptions): void {
  const law = (name: string, body: (store: MemoryStore) => Promise<void>) =>
    test(`MemoryStore: ${name}`, async () => {
      const store = await createStore();
      try {
        await body(store);
      } finally {
        await store.close();
      }
    });

  law("what was put is read, and absence is undefined, 0 and an empty list", async (store) => {
    assert.deepEqual(await store.read(ada, { keys: ["a"], counters: ["n"], terms: ["t"] }), {
      values: [undefined],
      counters: [0],
      postings: [[]],
    });
    assert.equal(await store.commit(ada, { put: [entry("a", "1"), entry("b", "")] }), true);
    const { values } = await store.read(ada, { keys: ["b", "none", "a"] });
    assert.deepEqual(values, ["", undefined, "1"]);
  });

  law("values keep every character", async (store) => {
    const value = "NUL \0, quote ' \", emoji 🜁, right-to-left \u202e, e\u0301 and \u00e9";
    await store.commit(ada, { put: [entry("a", value)] });
    assert.deepEqual((await store.read(ada, { keys: ["a"] })).values, [value]);
  });

  law("a scan is in key order, from inclusive to exclusive, limited from its own end", async (store) => {
    await store.commit(ada, { put: ["b", "a/1", "a", "c", "a-", "B"].map((key) => entry(key)) });
    assert.deepEqual(keysOf(await store.scan(ada, whole)), ["B", "a", "a-", "a/1", "b", "c"]);
    assert.deepEqual(keysOf(await store.scan(ada, { from: "a", to: "c", limit: 3 })), ["a", "a-", "a/1"]);
    assert.deepEqual(keysOf(await store.scan(ada, { from: "a", to: "c", limit: 2, reverse: true })), ["b", "a/1"]);
    assert.deepEqual(await store.scan(ada, { from: "x", to: "b", limit: 5 }), []);
  });

  law("an expectation that does not hold refuses the whole batch", async (store) => {
    await store.commit(ada, { put: [entry("a", "1")] });
    const refused = { put: [entry("b")], add: [{ counter: "n", by: 1 }], post: [posting("t", 1)] };
    assert.equal(await store.commit(ada, { ...refused, expect: [{ key: "a", value: "2" }] }), false);
    assert.equal(await store.commit(ada, { ...refused, expect: [{ key: "a", value: undefined }] }), false);
    assert.equal(await store.commit(ada, { ...refused, expect: [{ key: "none", value: "" }] }), false);
    assert.deepEqual(await store.read(ada, { keys: ["b"], counters: ["n"], terms: ["t"] }), {
      values: [undefined],
      counters: [0],
      postings: [[]],
    });
    assert.equal(await store.commit(ada, { ...refused, expect: [{ key: "a", value: "1" }] }), true);
  });

  law("of writers that expect the same state one wins", async (store) => {
    await store.commit(ada, { put: [entry("a", "0")] });
    const wins = await Promise.all(
      Array.from({ length: 8 }, (_, writer) =>
        store.commit(ada, { expect: [{ key: "a", value: "0" }], put: [entry("a", `by ${writer}`)] }),
      ),
    );
    assert.equal(wins.filter(Boolean).length, 1);
  });

  law("counters lose no addition", async (store) => {
    await Promise.all(Array.from({ length: 20 }, () => store.commit(ada, { add: [{ counter: "n", by: 3 }] })));
    await store.commit(ada, { add: [{ counter: "n", by: -10 }] });
    assert.deepEqual((await store.read(ada, { counters: ["n"] })).counters, [50]);
  });

  law("postings are replaced, removed, and listed in rising order of document", async (store) => {
    const large = 2 ** 53 - 1;
    const documents = [large, 9, 10, 100];
    await store.commit(ada, { post: [...documents.map((document) => posting("t", document)), posting("é", 1)] });
    await store.commit(ada, { post: [{ term: "t", document: 9, frequency: 4, length: 7 }] });
    await store.commit(ada, {
      unpost: [
        { term: "t", document: 10 },
        { term: "none", document: 1 },
      ],
    });
    const { postings } = await store.read(ada, { terms: ["t", "e", "é"] });
    assert.deepEqual(postings, [[9, 4, 7, 100, 1, 2, large, 1, 2], [], [1, 1, 2]]);
  });

  law("lists come out the same, however their postings were spread over commits", async (store) => {
    const lists = new Map(["common", "rare"].map((term) => [term, new Map<number, readonly [number, number]>()]));
    for (let step = 0; step < 150; step++) {
      const batch = { post: [] as Posting[], unpost: [] as { term: string; document: number }[] };
      for (const [term, list] of lists) {
        for (let count = term === "rare" ? Number(step % 11 === 0) : 1 + (step % 5); count > 0; count--) {
          const document = (step * 7_919 + count * 104_729) % 997;
          if (step % 13 === 0 && list.delete(document)) batch.unpost.push({ term, document });
          else if (step % 13 !== 0) {
            list.set(document, [count, step + 1]);
            batch.post.push({ term, document, frequency: count, length: step + 1 });
          }
        }
      }
      await store.commit(ada, batch);
    }
    const { postings } = await store.read(ada, { terms: [...lists.keys()] });
    const whole = [...lists.values()].map((list) =>
      [...list].sort(([a], [b]) => a - b).flatMap(([at, of]) => [at, ...of]),
    );
    assert.deepEqual(postings, whole);
  });

  law("deleted entries are gone from reads and scans, and may be put in the same batch", async (store) => {
    await store.commit(ada, { put: [entry("a"), entry("b")] });
    await store.commit(ada, { delete: ["a", "b", "none"], put: [entry("b", "again")] });
    assert.deepEqual(await store.scan(ada, whole), [entry("b", "again")]);
  });

  law(
    "a batch is applied in order: deleted, put, added, unposted, posted, and the last of equals counts",
    async (store) => {
      await store.commit(ada, { put: [entry("a")], post: [posting("t", 1)] });
      await store.commit(ada, {
        post: [
          { term: "t", document: 1, frequency: 3, length: 9 },
          posting("u", 2),
          { ...posting("u", 2), frequency: 5 },
        ],
        unpost: [{ term: "t", document: 1 }],
        add: [
          { counter: "n", by: 2 },
          { counter: "n", by: 3 },
        ],
        put: [entry("a", "first"), entry("a", "last")],
        delete: ["a"],
      });
      assert.deepEqual(await store.read(ada, { keys: ["a"], counters: ["n"], terms: ["t", "u"] }), {
        values: ["last"],
        counters: [5],
        postings: [
          [1, 3, 9],
          [2, 5, 2],
        ],
      });
    },
  );

  law("what is read together is of one state, whoever writes meanwhile", async (store) => {
    const step = (index: number) => ({
      put: [entry("a", `${index}`), entry("b", `${index}`)],
      add: [{ counter: "n", by: 1 }],
      post: [{ term: "t", document: 1, frequency: index, length: index }],
    });
    await store.commit(ada, step(1));
    const write = async () => {
      for (let index = 2; index <= 40; index++) await store.commit(ada, step(index));
    };
    const read = async () => {
      for (let reading = 0; reading < 40; reading++) {
        const found = await store.read(ada, { keys: ["a", "b"], counters: ["n"], terms: ["t"] });
        const index = Number(found.values[0]);
        const whole = { values: [`${index}`, `${index}`], counters: [index], postings: [[1, index, index]] };
        assert.deepEqual(found, whole);
      }
    };
    await Promise.all([write(), read()]);
  });

  law("large batches, long values and long keys are taken whole", async (store) => {
    const key = (index: number) => `${"k".repeat(2_000)}${String(index).padStart(4, "0")}`;
    const put = Array.from({ length: 300 }, (_, index) => entry(key(index), "v".repeat(1 + (index % 7) * 1_000)));
    const post = Array.from({ length: 3_000 }, (_, index) => posting(`t${index % 50}`, index));
    await store.commit(ada, { put: [...put, entry("long", "é".repeat(500_000))], post });
    const { values, postings } = await store.read(ada, { keys: ["long", key(299)], terms: ["t49"] });
    assert.deepEqual(
      values.map((value) => value?.length),
      [500_000, 1 + (299 % 7) * 1_000],
    );
    assert.equal(postings[0]?.length, 3 * 60);
    assert.equal((await store.scan(ada, { from: key(0), to: key(299), limit: 1_000 })).length, 299);
  });

  law("scopes are listed page by page, each once, a tenant's together and in order", async (store) => {
    const all = ["b", "a", "a!", "a/", "ab"].flatMap((tenant) => ["2", "1", "3"].map((memory) => ({ tenant, memory })));
    for (const scope of all) await store.commit(scope, { put: [entry("k")] });
    const listed: Scope[] = [];
    for (let after: Scope | undefined; ; after = listed.at(-1)) {
      const page = await store.scopes({ limit: 2, ...(after === undefined ? {} : { after }) });
      listed.push(...page);
      if (page.length === 0) break;
    }
    assert.equal(listed.length, all.length);
    for (let at = 0; at < listed.length; at += 3) {
      assert.equal(new Set(listed.slice(at, at + 3).map(({ tenant }) => tenant)).size, 1);
      assert.deepEqual(
        listed.slice(at, at + 3).map(({ memory }) => memory),
        ["1", "2", "3"],
      );
    }
    const page = await store.scopes({ after: { tenant: "ab", memory: "" }, limit: 3 });
    assert.deepEqual(
      page.map(({ tenant }) => tenant),
      ["ab", "ab", "ab"],
    );
  });

  law("no spelling of a scope reaches another", async (store) => {
    const scopes: Scope[] = [
      ["a", "b:c"],
      ["a:b", "c"],
      ["a/b", "c"],
      ["a", "b/c"],
      ["a%2Fb", "c"],
      ["{a}", "b"],
      ["a", "b"],
      ["A", "b"],
      ["\u00e9", "b"],
      ["e\u0301", "b"],
      ["a\u202e", "b"],
      ["a' OR '1'='1", "b"],
    ].map(([tenant = "", memory = ""]) => ({ tenant, memory }));
    for (const [index, scope] of scopes.entries()) {
      await store.commit(scope, {
        put: [entry("k", `${index}`)],
        add: [{ counter: "n", by: index }],
        post: [posting("t", index)],
      });
    }
    for (const [index, scope] of scopes.entries()) {
      assert.deepEqual(await store.read(scope, { keys: ["k"], counters: ["n"], terms: ["t"] }), {
        values: [`${index}`],
        counters: [index],
        postings: [[index, 1, 2]],
      });
      assert.equal((await store.scan(scope, whole)).length, 1);
    }
    const listed: Scope[] = [];
    for (let after: Scope | undefined; ; after = listed.at(-1)) {
      const page = await store.scopes({ limit: 5, ...(after === undefined ? {} : { after }) });
      listed.push(...page);
      if (page.length === 0) break;
    }
    const names = (list: readonly Scope[]) => list.map(({ tenant, memory }) => JSON.stringify([tenant, memory])).sort();
    assert.deepEqual(names(listed), names(scopes));
  });

  law("the version rises with every change and survives a drop that leaves nothing", async (store) => {
    assert.equal(await store.version(ada), 0);
    await store.commit(ada, { put: [entry("a")], add: [{ counter: "n", by: 1 }], post: [posting("t", 1)] });
    const first = await store.version(ada);
    await store.commit(ada, { expect: [{ key: "a", value: "no" }], put: [entry("b")] });
    assert.equal(await store.version(ada), first);
    await store.drop(ada);
    assert.ok((await store.version(ada)) > first);
    assert.deepEqual(await store.read(ada, { keys: ["a"], counters: ["n"], terms: ["t"] }), {
      values: [undefined],
      counters: [0],
      postings: [[]],
    });
    assert.deepEqual(await store.scopes({ limit: 10 }), []);
    assert.deepEqual(await store.scan(ada, whole), []);
  });

  law("a closed store refuses, and closing twice is harmless", async (store) => {
    await store.compact();
    await store.close();
    await store.close();
    await assert.rejects(
      async () => store.read(ada, {}),
      (error) => {
        return MemoryError.is(error) && error.code === "MEMORY_STORE_CLOSED";
      },
    );
  });
}

const posting = (term: string, document: number) => ({ term, document, frequency: 1, length: 2 });
