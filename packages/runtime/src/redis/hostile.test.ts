import { Redis } from "ioredis";
import { afterAll, beforeAll, expect } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { type PrivateRedis, startRedis } from "../../../../test/support/redis.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { EVENT_SCHEMA_VERSION, type NewEvent } from "../session-event.ts";
import { RedisSessionLog } from "./index.ts";

const context = { principal: { tenant: "acme" } };
const event = (body: number): NewEvent => ({
  id: `evt_${body}`,
  type: "step.completed",
  at: body,
  schemaVersion: EVENT_SCHEMA_VERSION,
  body,
});
const given = { agent: "a", agentVersion: "1", status: "idle", metadata: {}, state: {}, at: 1, events: [] } as const;

describeWith([parts.redis], "redis", () => {
  let server: PrivateRedis;
  let client: Redis;
  beforeAll(async () => {
    server = await startRedis("--appendonly", "yes");
    client = new Redis(server.path);
  });
  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });

  /** What a promoted replica does: the keys are as they were before the last writes, the claim with them. */
  async function forget(session: string, write: () => Promise<unknown>): Promise<void> {
    const keys = (await client.keys(`*:${session}`)).filter((key) => /events|session/.test(key));
    const before = await Promise.all(keys.map((key) => client.dumpBuffer(key)));
    await write();
    for (const [index, key] of keys.entries())
      await client.restore(key, 0, before[index] ?? Buffer.alloc(0), "REPLACE");
  }

  hostile("a failover forgets acknowledged events, and their owner goes on", {
    backend: "redis",
    control: "a log that does not remember what it was told appends behind the hole",
    async unguarded() {
      const log = new RedisSessionLog({ client });
      await log.create(context, { ...given, id: "ses_1" });
      const fence = (await log.claim(context, "ses_1", { owner: "w1" }))?.fence ?? "";
      await log.append(context, "ses_1", fence, [event(1)]);
      await forget("ses_1", () => log.append(context, "ses_1", fence, [event(2)]));
      await new RedisSessionLog({ client }).append(context, "ses_1", fence, [event(3)]);
      expect((await log.read(context, "ses_1")).map(({ body }) => body)).toEqual([1, 3]);
    },
    async guarded() {
      const log = new RedisSessionLog({ client });
      await log.create(context, { ...given, id: "ses_2" });
      await log.renew("w1", 60_000);
      const fence = (await log.claim(context, "ses_2", { owner: "w1" }))?.fence ?? "";
      await log.append(context, "ses_2", fence, [event(1)]);
      await forget("ses_2", () => log.append(context, "ses_2", fence, [event(2)]));
      await expect(log.append(context, "ses_2", fence, [event(3)])).rejects.toMatchObject({ code: "RUNTIME_FENCED" });
      expect((await log.read(context, "ses_2")).map(({ body }) => body)).toEqual([1]);
      expect((await log.due({ limit: 10 })).map(({ session }) => session)).toContain("ses_2");
      expect(await log.claim(context, "ses_2", { owner: "w2" })).toBeDefined();
    },
  });
});
