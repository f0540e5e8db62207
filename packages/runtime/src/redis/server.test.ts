import { Redis } from "ioredis";
import { expect, test, vi } from "vitest";
import { startRedis } from "../../../../test/support/redis.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { InMemoryBlobStore } from "../in-memory/index.ts";
import { EVENT_SCHEMA_VERSION, type NewEvent } from "../session-event.ts";
import { checkRedis, RedisSessionLog, RedisWorkQueue } from "./index.ts";

const context = { principal: { tenant: "acme" } };
const event = (index: number): NewEvent => ({
  id: `evt_${index}`,
  type: "a",
  at: index,
  schemaVersion: EVENT_SCHEMA_VERSION,
  idempotencyKey: `k${index}`,
  body: index,
});
const given = { id: "ses_1", agent: "a", agentVersion: "1", status: "idle", metadata: {}, state: {}, at: 1 } as const;
const told = (info: Record<string, string>) =>
  checkRedis({
    info: async () =>
      Object.entries({ redis_version: "7.0.15", role: "master", aof_enabled: "1", ...info })
        .map(([name, value]) => `${name}:${value}\r\n`)
        .join(""),
  });

test.each([
  [{ redis_version: "6.0.16" }, /is version 6.0.16. Sessions need 6.2 or later/],
  [{ role: "slave" }, /read-only replica. Connect to the primary/],
  [{ maxmemory_policy: "allkeys-lru", maxmemory: "1000000" }, /evicts any key .* Set it to noeviction/],
])("a server on which sessions cannot live is refused with what to change: %j", async (info, message) => {
  await expect(told(info)).rejects.toMatchObject({ code: "RUNTIME_INVALID", message: expect.stringMatching(message) });
});

test("one that can live with is taken, and one that forgets when it dies is warned of", async () => {
  const warnings = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  try {
    await told({ redis_version: "6.2.0", maxmemory_policy: "volatile-lru", maxmemory: "1" });
    expect(warnings).not.toHaveBeenCalled();
    await told({ aof_enabled: "0" });
    expect(warnings).toHaveBeenCalledWith(expect.stringContaining("Set appendonly yes"), { code: "ASHLAR_WEAK_REDIS" });
  } finally {
    warnings.mockRestore();
  }
});

test.each([0, 1.5, 1025])("%d partitions are refused", (partitions) => {
  expect(() => new RedisSessionLog({ client: {} as never, partitions })).toThrow(/1 to 1,024/);
});

describeWith([parts.redis], "a redis server", () => {
  test("a real one with an evicting policy is refused before anything is written", async () => {
    const server = await startRedis("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lfu", "--appendonly", "yes");
    const client = new Redis(server.path);
    try {
      const queue = new RedisWorkQueue({ client });
      await expect(queue.lanes()).rejects.toMatchObject({ code: "RUNTIME_INVALID" });
      expect(await client.dbsize()).toBe(0);
    } finally {
      client.disconnect();
      await server.stop();
    }
  });

  test("long sessions leave Redis for the archive and read as before, to the last key", async () => {
    const server = await startRedis("--appendonly", "yes");
    const client = new Redis(server.path);
    try {
      const archive = new InMemoryBlobStore();
      const log = new RedisSessionLog({ client, archive });
      await log.create(context, { ...given, events: [event(1)] });
      const claim = await log.claim(context, "ses_1", { owner: "w1" });
      const fence = claim?.fence ?? "";
      const most = 2_600;
      await log.append(
        context,
        "ses_1",
        fence,
        Array.from({ length: most - 1 }, (_, index) => event(index + 2)),
      );
      await log.release(context, "ses_1", fence, { seen: most });
      const [stream = ""] = await client.keys("*events:ses_1");
      expect(await client.xlen(stream)).toBe(1_100);
      const all = await log.read(context, "ses_1", { limit: 10_000 });
      expect(all.map(({ seq }) => seq)).toEqual(Array.from({ length: most }, (_, index) => index + 1));
      const some = await log.read(context, "ses_1", { after: 1_490, limit: 20 });
      expect(some.map(({ body }) => body)).toEqual(Array.from({ length: 20 }, (_, index) => 1_491 + index));
      const again = await log.deposit(context, "ses_1", event(7));
      expect([again.duplicate, again.event.seq, again.event.body]).toEqual([true, 7, 7]);
      await log.delete(context, "ses_1");
      expect(await archive.get(context, "events/ses_1/0")).toBeUndefined();
    } finally {
      client.disconnect();
      await server.stop();
    }
  });

  test("replicated writes resolve only when the replicas have them", async () => {
    const primary = await startRedis("--appendonly", "yes");
    const client = new Redis(primary.path);
    try {
      const log = new RedisSessionLog({ client, durability: { replicas: 1, timeoutMs: 50 } });
      const refused = { code: "RUNTIME_BACKEND_FAILED", retryable: true, message: expect.stringContaining("0 of 1") };
      await expect(log.create(context, { ...given, events: [] })).rejects.toMatchObject(refused);
      const careless = new RedisSessionLog({ client });
      const claim = await careless.claim(context, "ses_1", { owner: "w1" });
      const fence = claim?.fence ?? "";
      await expect(log.append(context, "ses_1", fence, [event(1)])).rejects.toMatchObject(refused);
      await expect(log.claim(context, "ses_1", { owner: "w1" })).rejects.toMatchObject(refused);
    } finally {
      client.disconnect();
      await primary.stop();
    }
  });
});
