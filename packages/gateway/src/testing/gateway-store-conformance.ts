import assert from "node:assert/strict";
import type { ApiKeyRecord, CallRecord, GatewayStore, TargetRecord } from "../gateway-store.ts";
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

const target = (tenant: string, name: string, url = "https://a.example"): TargetRecord => ({
  tenant,
  name,
  kind: "mcp",
  definition: { url },
  updatedAt: 1,
});

const call = (more: Partial<CallRecord> = {}): CallRecord => ({
  tenant: "acme",
  id: "a",
  digest: "d",
  claim: "first",
  claimedAt: 10,
  expiresAt: 100,
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

  law("targets are kept by tenant and name, the last one saved, and deleted by their tenant alone", async (store) => {
    await store.saveTarget(target("acme", "b"));
    await store.saveTarget(target("acme", "a"));
    await store.saveTarget(target("globex", "a"));
    await store.saveTarget(target("acme", "b", "https://b.example"));
    assert.deepEqual(await store.targets("acme"), [target("acme", "a"), target("acme", "b", "https://b.example")]);
    await store.deleteTarget("globex", "b");
    await store.deleteTarget("acme", "a");
    await store.deleteTarget("acme", "a");
    assert.deepEqual(await store.targets("acme"), [target("acme", "b", "https://b.example")]);
    assert.deepEqual(await store.targets("globex"), [target("globex", "a")]);
  });

  law("of many claims of one call at one time one is kept; another tenant's is another call", async (store) => {
    const claims = ["1", "2", "3", "4"].map((claim) => store.claimCall(call({ claim })));
    const kept = new Set((await Promise.all(claims)).map(({ claim }) => claim));
    assert.equal(kept.size, 1);
    assert.equal((await store.claimCall(call({ tenant: "globex", claim: "5" }))).claim, "5");
  });

  law("a result is given to who claims later, until it expires", async (store) => {
    await store.claimCall(call());
    const settled = call({ expiresAt: 1000, result: { content: [] } });
    assert.equal(await store.settleCall(settled), true);
    await store.releaseCall("acme", "a", "first");
    assert.deepEqual(await store.claimCall(call({ claim: "second", claimedAt: 999 })), settled);
    const later = call({ claim: "third", claimedAt: 1000, expiresAt: 2000 });
    assert.deepEqual(await store.claimCall(later), later);
  });

  law("only its own claim settles or releases a call", async (store) => {
    await store.claimCall(call());
    await store.releaseCall("acme", "a", "second");
    await store.releaseCall("globex", "a", "first");
    assert.equal((await store.claimCall(call({ claim: "second", claimedAt: 20 }))).claim, "first");
    assert.equal((await store.claimCall(call({ claim: "second", claimedAt: 100, expiresAt: 200 }))).claim, "second");
    assert.equal(await store.settleCall(call({ result: 1 })), false);
    await store.releaseCall("acme", "a", "second");
    assert.equal((await store.claimCall(call({ claim: "third", claimedAt: 101 }))).claim, "third");
  });
}
