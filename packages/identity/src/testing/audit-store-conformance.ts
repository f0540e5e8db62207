import assert from "node:assert/strict";
import type { AuditRow, AuditStore } from "../audit-store.ts";
import type { TestFunction } from "./suite.ts";

export interface AuditStoreConformanceOptions {
  readonly test: TestFunction;
  /** An empty store. */
  readonly createStore: () => AuditStore | Promise<AuditStore>;
}

const row = (tenant: string, seq: number): AuditRow => ({
  tenant,
  seq,
  at: 1000 + seq,
  entry: { action: "credential.inject", decision: "allow", reference: "vault://default/x", details: { n: seq } },
  hash: String(seq).padStart(64, "0"),
});

/** The law of `AuditStore`. */
export function auditStoreConformance({ test, createStore }: AuditStoreConformanceOptions): void {
  const law = (name: string, body: (store: AuditStore) => Promise<void>): unknown =>
    test(name, async () => {
      const store = await createStore();
      await body(store);
      await store.close();
    });

  law("rows are appended in sequence only, and read back as written", async (store) => {
    assert.equal(await store.head("a"), undefined);
    assert.equal(await store.append(row("a", 2)), false);
    assert.equal(await store.append(row("a", 1)), true);
    assert.equal(await store.append(row("a", 1)), false);
    assert.equal(await store.append(row("a", 3)), false);
    assert.equal(await store.append(row("a", 2)), true);
    assert.deepEqual(await store.head("a"), row("a", 2));
    assert.deepEqual(await store.read("a"), [row("a", 1), row("a", 2)]);
  });

  law("of writers of the same number one succeeds", async (store) => {
    const wrote = await Promise.all([1, 2, 3, 4].map(() => store.append(row("a", 1))));
    assert.deepEqual(wrote.filter(Boolean), [true]);
  });

  law("each tenant has a chain of its own, and pages are by number", async (store) => {
    for (let seq = 1; seq <= 7; seq++) await store.append(row("a", seq));
    assert.equal(await store.append(row("b", 1)), true);
    assert.deepEqual(
      (await store.read("a", { after: 2, limit: 3 })).map(({ seq }) => seq),
      [3, 4, 5],
    );
    assert.deepEqual(
      (await store.read("b")).map(({ seq }) => seq),
      [1],
    );
  });

  law("a closed store refuses", async (store) => {
    await store.close();
    await assert.rejects(store.head("a"), { code: "IDENTITY_CLOSED" });
  });
}
