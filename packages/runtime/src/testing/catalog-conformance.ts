import assert from "node:assert/strict";
import type { Catalog } from "../catalog.ts";
import type { CallContext } from "../dialect.ts";
import type { TestFunction } from "./suite.ts";

export interface CatalogConformance {
  readonly test: TestFunction;
  createCatalog(): Catalog | Promise<Catalog>;
}

const acme: CallContext = { principal: { tenant: "acme" } };
const other: CallContext = { principal: { tenant: "acme2" } };

/** The law of `Catalog`. */
export function catalogConformance({ test, createCatalog }: CatalogConformance): void {
  const law = (name: string, body: (catalog: Catalog) => Promise<void>) =>
    test(`catalog: ${name}`, async () => {
      const catalog = await createCatalog();
      try {
        await body(catalog);
      } finally {
        await catalog.close();
      }
    });

  law("versions rise from 1 and stay as they were written", async (catalog) => {
    assert.equal((await catalog.put(acme, "agent", "a", { text: "one" })).version, 1);
    assert.equal((await catalog.put(acme, "agent", "a", { text: "two" })).version, 2);
    assert.deepEqual((await catalog.get(acme, "agent", "a"))?.body, { text: "two" });
    assert.deepEqual((await catalog.get(acme, "agent", "a", 1))?.body, { text: "one" });
    assert.equal(await catalog.get(acme, "agent", "a", 3), undefined);
    assert.deepEqual(
      (await catalog.versions(acme, "agent", "a")).items.map(({ version }) => version),
      [2, 1],
    );
  });

  law("a write with another expected version is a conflict and changes nothing", async (catalog) => {
    await catalog.put(acme, "agent", "a", 1, { expected: 0 });
    for (const expected of [0, 2]) {
      await assert.rejects(catalog.put(acme, "agent", "a", 2, { expected }), { code: "RUNTIME_CONFLICT" });
    }
    assert.deepEqual((await catalog.get(acme, "agent", "a"))?.body, 1);
    const raced = await Promise.allSettled(
      [2, 3, 4].map((body) => catalog.put(acme, "agent", "a", body, { expected: 1 })),
    );
    assert.equal(raced.filter(({ status }) => status === "fulfilled").length, 1);
  });

  law("tenants, kinds and names do not meet", async (catalog) => {
    await catalog.put(acme, "agent", "a", 1);
    await catalog.put(other, "agent", "a", 2);
    await catalog.put(acme, "schedule", "a", 3);
    assert.equal((await catalog.get(acme, "agent", "a"))?.body, 1);
    assert.equal((await catalog.list(acme, "agent")).items.length, 1);
    assert.deepEqual(await catalog.tenants("agent"), ["acme", "acme2"]);
    assert.deepEqual(await catalog.tenants("schedule"), ["acme"]);
    await catalog.delete(other, "agent", "a");
    assert.equal((await catalog.get(acme, "agent", "a"))?.body, 1);
    assert.deepEqual(await catalog.tenants("agent"), ["acme"]);
  });

  law("without history only the newest is kept", async (catalog) => {
    await catalog.put(acme, "schedule", "s", 1, { history: false });
    await catalog.put(acme, "schedule", "s", 2, { history: false });
    assert.equal(await catalog.get(acme, "schedule", "s", 1), undefined);
    assert.equal((await catalog.versions(acme, "schedule", "s")).items.length, 1);
  });

  law("a deleted name is new again, and its versions go on", async (catalog) => {
    await catalog.put(acme, "agent", "a", 1);
    await catalog.delete(acme, "agent", "a");
    assert.equal(await catalog.get(acme, "agent", "a"), undefined);
    assert.deepEqual((await catalog.list(acme, "agent")).items, []);
    assert.equal((await catalog.put(acme, "agent", "a", 2, { expected: 0 })).version, 2);
  });

  law("lists give the newest of each name, page by page", async (catalog) => {
    for (const name of ["c", "a", "b", "a"]) await catalog.put(acme, "agent", name, name);
    const first = await catalog.list(acme, "agent", { limit: 2 });
    assert.deepEqual(
      first.items.map(({ name, version }) => `${name}@${version}`),
      ["a@2", "b@1"],
    );
    assert.ok(first.cursor);
    const second = await catalog.list(acme, "agent", { limit: 2, cursor: first.cursor });
    assert.deepEqual([second.items.map(({ name }) => name), second.cursor], [["c"], undefined]);
  });
}
