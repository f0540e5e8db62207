import Database from "better-sqlite3";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type PrivateRedis, startRedis } from "../../../test/support/redis.ts";
import { describeWith, parts } from "../../../test/support/system-part.ts";
import { failing } from "./fixtures/failing.ts";
import {
  ApiKeys,
  Approvals,
  type CallRecord,
  type GatewayStore,
  InMemoryApprovalStore,
  InMemoryGatewayStore,
  InMemoryRateLimiter,
  InMemorySlotLimiter,
  type Quota,
} from "./index.ts";
import { Limits } from "./limits/limits.ts";
import { RedisApprovalStore, RedisGatewayStore, RedisRateLimiter, RedisSlotLimiter } from "./redis/index.ts";
import { SqliteApprovalStore, SqliteGatewayStore } from "./sqlite/index.ts";
import {
  approvalStoreConformance,
  gatewayStoreConformance,
  ManualClock,
  rateLimiterConformance,
  slotLimiterConformance,
} from "./testing/index.ts";

gatewayStoreConformance({ test, createStore: () => new InMemoryGatewayStore() });
gatewayStoreConformance({ test, createStore: () => new SqliteGatewayStore({ database: new Database(":memory:") }) });
rateLimiterConformance({ test, createLimiter: () => new InMemoryRateLimiter() });
slotLimiterConformance({ test, createLimiter: () => new InMemorySlotLimiter() });
approvalStoreConformance({ test, createStore: () => new InMemoryApprovalStore() });
approvalStoreConformance({ test, createStore: () => new SqliteApprovalStore({ database: new Database(":memory:") }) });

describeWith([parts.redis], "on Redis", () => {
  let server: PrivateRedis;
  let client: Redis;
  let count = 0;
  beforeAll(async () => {
    server = await startRedis();
    client = new Redis(server.path, { maxRetriesPerRequest: 0, retryStrategy: () => null });
    client.on("error", () => {});
  });
  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });
  gatewayStoreConformance({ test, createStore: () => new RedisGatewayStore({ client, prefix: `s${count++}:` }) });
  approvalStoreConformance({ test, createStore: () => new RedisApprovalStore({ client, prefix: `a${count++}:` }) });
  rateLimiterConformance({ test, createLimiter: () => new RedisRateLimiter({ client, prefix: `l${count++}:` }) });

  slotLimiterConformance({
    test,
    createLimiter: () => new RedisSlotLimiter({ client, prefix: `t${count++}:`, clock: new ManualClock() }),
  });

  test("a call that one gateway holds is answered at another and runs at either, once", async () => {
    const prefix = `a${count++}:`;
    const [here, there] = ["here", "there"].map(
      () => new Approvals({ store: new RedisApprovalStore({ client, prefix }) }),
    );
    const context = { principal: { tenant: "acme", user: "ann" } };
    const call = (at: Approvals | undefined) => at?.require(context, "bank/refund", { cents: 5 }, "money moves");
    await expect(call(here)).rejects.toMatchObject({ code: "GATEWAY_APPROVAL_NEEDED" });
    const id = (await there?.open(context))?.items[0]?.id ?? "";
    await there?.answer(context, id, { allow: true });
    const runs = await Promise.allSettled([call(here), call(there)]);
    expect(runs.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test("a slot is kept while its process lives, and lapses when it does not", async () => {
    const clock = new ManualClock();
    const prefix = `t${count++}:`;
    const lost = new RedisSlotLimiter({ client, prefix, clock, lapseMs: 1000 });
    const slot = await lost.acquire("k", 1);
    const score = async () =>
      Number(await client.zscore(`${prefix}k`, (await client.zrange(`${prefix}k`, "0", "-1"))[0] ?? ""));
    const first = await score();
    await client.zadd(`${prefix}k`, first - 500, (await client.zrange(`${prefix}k`, "0", "-1"))[0] ?? "");
    await clock.advance(400);
    await expect.poll(score).toBeGreaterThan(first - 500);
    await client.zadd(`${prefix}k`, 1, (await client.zrange(`${prefix}k`, "0", "-1"))[0] ?? "");
    const next = await new RedisSlotLimiter({ client, prefix, clock: new ManualClock() }).acquire("k", 1);
    expect(next).toBeDefined();
    await Promise.all([slot?.release(), next?.release()]);
  });

  test("Redis down: closed refuses, open lets through", async () => {
    const lost = new Redis({
      path: "/nonexistent.sock",
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
      lazyConnect: true,
    });
    lost.on("error", () => {});
    const limiter = new RedisRateLimiter({ client: lost });
    const rules = [{ name: "calls", per: ["tenant"] as const, quota: { limit: 1, windowMs: 1000 } }];
    const closed = new Limits({ rules, slots: new InMemorySlotLimiter(), limiter });
    await expect(closed.take({ tenant: "acme" }, "door")).rejects.toMatchObject({ code: "GATEWAY_BACKEND_FAILED" });
    const open = new Limits({ rules, slots: new InMemorySlotLimiter(), limiter, onFailure: "open" });
    expect(await open.take({ tenant: "acme" }, "door")).toEqual({});
    lost.disconnect();
  });
});

test("the suites catch planted faults", async () => {
  const careless = (): GatewayStore => {
    const store = new InMemoryGatewayStore();
    return Object.assign(store, {
      deleteKey: async (_: string, id: string) => {
        const tenant = (await store.key(id))?.principal.tenant ?? "";
        await InMemoryGatewayStore.prototype.deleteKey.call(store, tenant, id);
      },
    });
  };
  expect(await failing((each) => gatewayStoreConformance({ test: each, createStore: careless }))).toEqual([
    "GatewayStore: only the tenant of a key deletes it, and deleting twice is no error",
  ]);
  const forgetful = (): GatewayStore =>
    Object.assign(new InMemoryGatewayStore(), { claimCall: async (record: CallRecord) => record });
  expect(await failing((each) => gatewayStoreConformance({ test: each, createStore: forgetful }))).toEqual([
    "GatewayStore: of many claims of one call at one time one is kept; another tenant's is another call",
    "GatewayStore: a result is given to who claims later, until it expires",
    "GatewayStore: only its own claim settles or releases a call",
  ]);
  const shared = () => {
    const limiter = new InMemoryRateLimiter();
    return {
      take: (_: string, quota: Quota, cost?: number) => limiter.take("one", quota, cost),
      charge: (_: string, quota: Quota, cost: number) => limiter.charge("one", quota, cost),
    };
  };
  expect(await failing((each) => rateLimiterConformance({ test: each, createLimiter: shared }))).toEqual([
    "RateLimiter: keys do not share",
  ]);
  const generous = () => {
    const store = new InMemoryApprovalStore();
    let last: Awaited<ReturnType<typeof store.take>>;
    return Object.assign(store, {
      take: async (tenant: string, id: string) => {
        last = (await InMemoryApprovalStore.prototype.take.call(store, tenant, id)) ?? last;
        return last;
      },
    });
  };
  expect(await failing((each) => approvalStoreConformance({ test: each, createStore: generous }))).toEqual([
    "ApprovalStore: the first answer stays, is not taken before it is there, and is taken by one",
  ]);
});

test("the bucket refills evenly with time", async () => {
  const clock = new ManualClock();
  const limiter = new InMemoryRateLimiter({ clock });
  const quota = { limit: 2, windowMs: 1000 };
  await limiter.take("k", quota, 2);
  expect((await limiter.take("k", quota)).retryAfterMs).toBe(500);
  clock.jump(clock.now() + 500);
  expect((await limiter.take("k", quota)).allowed).toBe(true);
});

test("an API key lets its principal in until it is rotated away, expired or revoked; the store never sees it", async () => {
  const clock = new ManualClock();
  const store = new InMemoryGatewayStore();
  const keys = new ApiKeys({ store, clock, scope: "tools" });
  const asked = (key: string) =>
    keys.authenticate(new Request("http://x", { headers: { authorization: `Bearer ${key}` } }));
  const made = await keys.create({ tenant: "acme" }, { scopes: ["tools"] });
  expect(await asked(made.key)).toEqual({ tenant: "acme" });
  expect(JSON.stringify(await store.key(made.id))).not.toContain(made.key.split(".")[2]);
  await expect(asked(`ashlar.${made.id}.${"A".repeat(43)}`)).rejects.toMatchObject({ kind: "unauthenticated" });
  const next = await keys.rotate("acme", made.id, { graceMs: 1000 });
  expect(await asked(made.key)).toEqual({ tenant: "acme" });
  clock.jump(clock.now() + 1000);
  await expect(asked(made.key)).rejects.toThrow("has expired");
  await keys.revoke("globex", next.id);
  expect(await asked(next.key)).toEqual({ tenant: "acme" });
  await keys.revoke("acme", next.id);
  await expect(asked(next.key)).rejects.toMatchObject({ kind: "unauthenticated" });
  const other = await keys.create({ tenant: "acme" }, { scopes: ["agents"] });
  await expect(asked(other.key)).rejects.toMatchObject({ kind: "denied" });
});
