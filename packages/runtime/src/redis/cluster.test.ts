import type { Cluster } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type PrivateCluster, startRedisCluster } from "../../../../test/support/redis-cluster.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { EVENT_SCHEMA_VERSION } from "../session-event.ts";
import { engineConformance } from "./fixtures/engine-conformance.ts";
import { RedisSessionLog } from "./index.ts";

const context = { principal: { tenant: "acme" } };

describeWith([parts.redis], "redis cluster", () => {
  let servers: PrivateCluster;
  let subscriber: Cluster;
  let made = 0;

  beforeAll(async () => {
    servers = await startRedisCluster();
    subscriber = servers.cluster.duplicate();
  });
  afterAll(async () => {
    subscriber.disconnect();
    await servers.stop();
  });

  engineConformance(() => ({ client: servers.cluster, subscriber, prefix: `law${made++}:` }), { shards: 4 });

  test("sessions lie on every node, each with its lists whole on one", async () => {
    const log = new RedisSessionLog({ client: servers.cluster, prefix: "spread:" });
    const event = { id: "evt_1", type: "session.created", at: 1, schemaVersion: EVENT_SCHEMA_VERSION };
    const given = { agent: "a", agentVersion: "1", status: "queued", metadata: {}, state: {}, at: 1 } as const;
    const ids = Array.from({ length: 48 }, (_, index) => `ses_${String(index).padStart(3, "0")}`);
    for (const id of ids) await log.create(context, { ...given, id, wakeAt: 1, events: [event] });
    const held = await Promise.all(servers.nodes.map((client) => client.keys("spread:*")));
    const tags = held.map((keys) => new Set(keys.map((key) => /\{.*\}/.exec(key)?.[0])));
    expect(tags.every(({ size }) => size > 1)).toBe(true);
    expect((await log.due({ limit: 100 })).map(({ session }) => session)).toEqual(ids);
    const found = await log.find(context, { status: "queued", limit: 20 });
    expect(found.items.map(({ id }) => id)).toEqual(ids.toReversed().slice(0, 20));
  });
});
