import { once } from "node:events";
import { Redis } from "ioredis";
import { expect } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { startRedis } from "../../../../test/support/redis.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { Memory } from "../memory.ts";
import { RedisMemoryStore } from "./index.ts";

const context = { principal: { tenant: "acme" } };
const connect = (path: string) => {
  const client = new Redis(path, { maxRetriesPerRequest: 0, retryStrategy: () => null });
  client.on("error", () => {});
  return client;
};

describeWith([parts.redis], "redis", () => {
  hostile("the server is killed in the middle of batches", {
    backend: "redis",
    control: "a row and its index sent as commands of their own: the kill falls between them",
    async unguarded() {
      const server = await startRedis("--appendonly", "yes", "--appendfsync", "always");
      try {
        const client = connect(server.path);
        await client.hset("values", "event", "one two");
        await killed(server.process);
        await expect(client.hset("postings:one", "1", "1,2")).rejects.toThrow();
        await server.restart();
        const after = connect(server.path);
        expect([await after.hlen("values"), await after.hlen("postings:one")]).toEqual([1, 0]);
        after.disconnect();
      } finally {
        await server.stop();
      }
    },
    async guarded() {
      const server = await startRedis("--appendonly", "yes", "--appendfsync", "always");
      try {
        const memory = new Memory({ store: new RedisMemoryStore({ client: connect(server.path) }) });
        let sent = 0;
        const answered: string[] = [];
        const writers = Array.from({ length: 4 }, async (_, writer) => {
          for (let batch = 0; batch < 200; batch++) {
            const name = `batch${writer}x${batch}`;
            sent += 1;
            const records = Array.from({ length: 25 }, (_, index) => ({ text: `heron ${name} part${index}` }));
            await memory.records.createMany(context, `m${writer}`, records);
            answered.push(name);
            if (answered.length === 20) server.process.kill("SIGKILL");
          }
        });
        const ends = await Promise.allSettled(writers);
        expect(ends.every(({ status }) => status === "rejected")).toBe(true);
        await server.restart();
        const again = new Memory({ store: new RedisMemoryStore({ client: connect(server.path) }) });
        let kept = 0;
        for (let writer = 0; writer < 4; writer++) {
          const { items } = await again.records.list(context, `m${writer}`, { limit: 1_000 });
          expect(items.length % 25).toBe(0);
          kept += items.length / 25;
          expect(await again.search(context, `m${writer}`, { text: "heron", topK: 1_000 })).toHaveLength(items.length);
          for (const name of answered.filter((each) => each.startsWith(`batch${writer}x`)))
            expect(await again.search(context, `m${writer}`, { text: name, topK: 100 })).toHaveLength(25);
        }
        expect(kept).toBeGreaterThanOrEqual(answered.length);
        expect(kept).toBeLessThanOrEqual(sent);
      } finally {
        await server.stop();
      }
    },
  });
});

async function killed(server: import("node:child_process").ChildProcess): Promise<void> {
  const exit = once(server, "exit");
  server.kill("SIGKILL");
  await exit;
}
