import { afterAll, beforeAll, expect, test } from "vitest";
import { type PrivateCluster, startRedisCluster } from "../../../../test/support/redis-cluster.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { Memory } from "../memory.ts";
import { memoryStoreConformance } from "../testing/index.ts";
import { RedisMemoryStore } from "./index.ts";

describeWith([parts.redis], "redis cluster", () => {
  let servers: PrivateCluster;
  let stores = 0;

  beforeAll(async () => {
    servers = await startRedisCluster();
  });
  afterAll(() => servers.stop());

  memoryStoreConformance({
    test,
    createStore: () => new RedisMemoryStore({ client: servers.cluster, prefix: `c${stores++}:` }),
  });

  test("memories lie on every node, each whole on one", async () => {
    const memory = new Memory({ store: new RedisMemoryStore({ client: servers.cluster, prefix: "spread:" }) });
    for (let index = 0; index < 12; index++) {
      const context = { principal: { tenant: `tenant ${index}` } };
      await memory.records.create(context, "m", { text: "a heron" });
      expect(await memory.search(context, "m", { text: "heron" })).toHaveLength(1);
    }
    const held = await Promise.all(servers.nodes.map((client) => client.keys("spread:{*")));
    const tags = held.map((keys) => new Set(keys.map((key) => /\{.*\}/.exec(key)?.[0])));
    expect(tags.every(({ size }) => size > 0)).toBe(true);
    expect(tags.reduce((sum, { size }) => sum + size, 0)).toBe(12);
  });
});
