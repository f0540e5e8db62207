import assert from "node:assert/strict";
import type { ApprovalRecord, ApprovalStore } from "../approval-store.ts";
import type { TestFunction } from "./suite.ts";

export interface ApprovalStoreConformanceOptions {
  readonly test: TestFunction;
  /** An empty store. */
  createStore(): Promise<ApprovalStore> | ApprovalStore;
}

const record = (id: string, more: Partial<ApprovalRecord> = {}): ApprovalRecord => ({
  id,
  principal: { tenant: "acme", user: "ann" },
  resource: "bank/refund",
  arguments: { cents: 5 },
  reason: "money moves",
  requestedAt: 10,
  expiresAt: 100,
  ...more,
});

/** The law of `ApprovalStore`. */
export function approvalStoreConformance({ test, createStore }: ApprovalStoreConformanceOptions): void {
  const law = (name: string, body: (store: ApprovalStore) => Promise<void>) =>
    test(`ApprovalStore: ${name}`, async () => {
      const store = await createStore();
      try {
        await body(store);
      } finally {
        await store.close();
      }
    });

  law("a call held twice is one, until it expires", async (store) => {
    assert.deepEqual(await store.hold(record("a")), record("a"));
    assert.deepEqual(await store.hold(record("a", { requestedAt: 99, expiresAt: 200 })), record("a"));
    await store.answer("acme", "a", { allow: true, at: 50 });
    const later = record("a", { requestedAt: 100, expiresAt: 200 });
    assert.deepEqual(await store.hold(later), later);
  });

  law("the first answer stays, is not taken before it is there, and is taken by one", async (store) => {
    await store.hold(record("a"));
    assert.equal(await store.take("acme", "a"), undefined);
    assert.equal(await store.answer("acme", "a", { allow: false, at: 20 }), true);
    assert.equal(await store.answer("acme", "a", { allow: true, at: 21 }), false);
    const taken = await Promise.all([store.take("acme", "a"), store.take("acme", "a")]);
    assert.deepEqual(
      taken.filter((each) => each !== undefined).map(({ answer }) => answer),
      [{ allow: false, at: 20 }],
    );
  });

  law("nothing is answered after its time, or where nothing waits", async (store) => {
    await store.hold(record("a"));
    assert.equal(await store.answer("acme", "a", { allow: true, at: 100 }), false);
    assert.equal(await store.answer("acme", "b", { allow: true, at: 20 }), false);
  });

  law("another tenant sees, answers and takes nothing", async (store) => {
    await store.hold(record("a"));
    assert.deepEqual((await store.open("globex", { now: 20 })).items, []);
    assert.equal(await store.answer("globex", "a", { allow: true, at: 20 }), false);
    await store.answer("acme", "a", { allow: true, at: 20 });
    assert.equal(await store.take("globex", "a"), undefined);
    assert.notEqual(await store.take("acme", "a"), undefined);
  });

  law("what waits is listed oldest first, in pages, without the expired and the answered", async (store) => {
    await store.hold(record("c", { requestedAt: 3 }));
    await store.hold(record("a", { requestedAt: 4 }));
    await store.hold(record("b", { requestedAt: 4 }));
    await store.hold(record("old", { requestedAt: 1, expiresAt: 5 }));
    await store.hold(record("done", { requestedAt: 2 }));
    await store.answer("acme", "done", { allow: true, at: 4 });
    const first = await store.open("acme", { now: 5, limit: 2 });
    const second = await store.open("acme", { now: 5, limit: 2, ...cursorOf(first) });
    assert.deepEqual(
      [...first.items, ...second.items].map(({ id }) => id),
      ["c", "a", "b"],
    );
    assert.equal(second.cursor, undefined);
  });
}

const cursorOf = ({ cursor }: { readonly cursor?: string }): { readonly cursor?: string } =>
  cursor === undefined ? {} : { cursor };
