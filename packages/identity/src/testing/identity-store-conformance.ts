import assert from "node:assert/strict";
import type { Clock } from "../dialect.ts";
import type { IdentityStore } from "../identity-store.ts";
import { ManualClock } from "./manual-clock.ts";
import type { TestFunction } from "./suite.ts";

export interface IdentityStoreConformanceOptions {
  readonly test: TestFunction;
  /** An empty store on the given clock. */
  readonly createStore: (parts: { readonly clock: Clock }) => IdentityStore | Promise<IdentityStore>;
}

/** The law of `IdentityStore`. */
export function identityStoreConformance({ test, createStore }: IdentityStoreConformanceOptions): void {
  const law = (name: string, body: (store: IdentityStore, clock: ManualClock) => Promise<void>): unknown =>
    test(name, async () => {
      const clock = new ManualClock();
      const store = await createStore({ clock });
      await body(store, clock);
      await store.close();
    });

  law("a record is read back as it was written", async (store) => {
    const body = { text: 'ü"\\', list: [], nothing: null, deep: { n: 1.5 } };
    assert.equal(await store.get("a", "credential", "x"), undefined);
    const written = await store.put("a", "credential", "x", { body, expected: 0 });
    assert.deepEqual(written, { id: "x", version: 1, body });
    assert.deepEqual(await store.get("a", "credential", "x"), written);
  });

  law("of writers that read the same version one succeeds", async (store) => {
    const race = (expected: number) =>
      Promise.all([1, 2, 3, 4].map((n) => store.put("a", "credential", "x", { body: n, expected })));
    for (const expected of [0, 1]) {
      const won = (await race(expected)).filter((result) => result !== undefined);
      assert.equal(won.length, 1);
      assert.deepEqual(await store.get("a", "credential", "x"), won[0]);
    }
    assert.equal(await store.put("a", "credential", "x", { body: 0, expected: 7 }), undefined);
    assert.equal(await store.put("a", "credential", "y", { body: 0, expected: 1 }), undefined);
  });

  law("tenants, kinds and ids that look alike are apart", async (store) => {
    const keys = [
      ["a", "credential", "b:c"],
      ["a:credential", "credential", "b:c"],
      ["a", "grant", "b:c"],
      ["a}", "credential", "b"],
      ["A", "credential", "b:c"],
      ['a"]', "credential", "x"],
    ] as const;
    for (const [at, [tenant, kind, id]] of keys.entries()) {
      await store.put(tenant, kind, id, { body: at, expected: 0 });
    }
    for (const [at, [tenant, kind, id]] of keys.entries()) {
      assert.equal((await store.get(tenant, kind, id))?.body, at);
    }
    assert.deepEqual(
      (await store.list("a", "credential")).items.map(({ id }) => id),
      ["b:c"],
    );
    assert.deepEqual(new Set(await store.tenants("credential")), new Set(["a", "a:credential", "a}", "A", 'a"]']));
  });

  law("many are read as one by one, in the order that was asked for", async (store, clock) => {
    const expiresAt = clock.now() + 1000;
    const x = await store.put("a", "credential", "x", { body: { n: 1 }, expected: 0 });
    const late = await store.put("a", "credential", "late", { body: 2, expiresAt, expected: 0 });
    await store.put("b", "credential", "y", { body: "another tenant's", expected: 0 });
    await store.put("a", "grant", "z", { body: "another kind's", expected: 0 });
    const ids = ["late", "y", "x", "z", "x", 'n"one'];
    assert.deepEqual(await store.getMany("a", "credential", ids), [late, undefined, x, undefined, x, undefined]);
    await clock.advance(1000);
    assert.deepEqual(await store.getMany("a", "credential", ["late", "x"]), [undefined, x]);
    assert.deepEqual(await store.getMany("a", "credential", []), []);
  });

  law("a record is absent from the instant it expires, and may be written anew", async (store, clock) => {
    const expiresAt = clock.now() + 1000;
    await store.put("a", "lease", "x", { body: 1, expiresAt, expected: 0 });
    await clock.advance(999);
    assert.deepEqual(await store.get("a", "lease", "x"), { id: "x", version: 1, body: 1, expiresAt });
    assert.equal(await store.put("a", "lease", "x", { body: 2, expected: 0 }), undefined);
    await clock.advance(1);
    assert.equal(await store.get("a", "lease", "x"), undefined);
    assert.deepEqual((await store.list("a", "lease")).items, []);
    assert.equal(await store.put("a", "lease", "x", { body: 2, expected: 1 }), undefined);
    assert.equal((await store.put("a", "lease", "x", { body: 2, expected: 0 }))?.version, 1);
    assert.equal((await store.get("a", "lease", "x"))?.body, 2);
  });

  law("what is taken is received by one caller, and expired by none", async (store, clock) => {
    await store.put("a", "flow", "x", { body: "once", expected: 0 });
    const taken = await Promise.all([1, 2, 3].map(() => store.take("a", "flow", "x")));
    assert.deepEqual(
      taken.filter((record) => record !== undefined).map(({ body }) => body),
      ["once"],
    );
    assert.equal(await store.get("a", "flow", "x"), undefined);
    await store.put("a", "flow", "y", { body: "late", expiresAt: clock.now() + 1, expected: 0 });
    await clock.advance(1);
    assert.equal(await store.take("a", "flow", "y"), undefined);
  });

  law("lists are in order, page without loss, and stay within their prefix", async (store) => {
    const ids = Array.from({ length: 25 }, (_, at) => `p/${String(at).padStart(2, "0")}`);
    for (const id of [...ids].reverse()) await store.put("a", "credential", id, { body: id, expected: 0 });
    await store.put("a", "credential", "p0", { body: 0, expected: 0 });
    await store.put("a", "credential", "o/9", { body: 0, expected: 0 });
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.list("a", "credential", { prefix: "p/", limit: 10, ...(cursor && { cursor }) });
      assert.ok(page.items.length <= 10);
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.cursor;
    } while (cursor !== undefined);
    assert.deepEqual(seen, ids);
  });

  law("a closed store refuses, and closing twice is no error", async (store) => {
    await store.close();
    await store.close();
    await assert.rejects(store.get("a", "credential", "x"), { code: "IDENTITY_CLOSED" });
  });
}
