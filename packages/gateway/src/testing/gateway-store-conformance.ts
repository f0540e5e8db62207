import assert from "node:assert/strict";
import type { ApiKeyRecord, GatewayStore } from "../gateway-store.ts";
import type { TestFunction } from "./suite.ts";

export interface GatewayStoreConformanceOptions {
  readonly test: TestFunction;
  /** An empty store. */
  createStore(): Promise<GatewayStore> | GatewayStore;
}

const record = (id: string, tenant: string, more: Partial<ApiKeyRecord> = {}): ApiKeyRecord => ({
  id,
  hash: "0".repeat(64),
  principal: { tenant, user: "ann" },
  scopes: ["read"],
  createdAt: 1,
  ...more,
});

/** The law of `GatewayStore`. */
export function gatewayStoreConformance({ test, createStore }: GatewayStoreConformanceOptions): void {
  const law = (name: string, body: (store: GatewayStore) => Promise<void>) =>
    test(`GatewayStore: ${name}`, async () => {
      const store = await createStore();
      try {
        await body(store);
      } finally {
        await store.close();
      }
    });

  law("gives back what was saved", async (store) => {
    const saved = record("key_1", "acme", { expiresAt: 99 });
    await store.saveKey(saved);
    assert.deepEqual(await store.key("key_1"), saved);
    assert.equal(await store.key("key_2"), undefined);
  });

  law("a second save of one id replaces the first", async (store) => {
    await store.saveKey(record("key_1", "acme"));
    await store.saveKey(record("key_1", "acme", { scopes: [] }));
    assert.deepEqual((await store.key("key_1"))?.scopes, []);
  });

  law("only the tenant of a key deletes it, and deleting twice is no error", async (store) => {
    await store.saveKey(record("key_1", "acme"));
    await store.deleteKey("globex", "key_1");
    assert.notEqual(await store.key("key_1"), undefined);
    await store.deleteKey("acme", "key_1");
    await store.deleteKey("acme", "key_1");
    assert.equal(await store.key("key_1"), undefined);
  });
}
