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
  hostile("the server is at its memory limit in the middle of batches", {
    backend: "redis",
    control: "commands of their own are taken up to the one that no longer fits",
    async unguarded() {
      const server = await startRedis("--maxmemory", "4mb", "--save", "");
      try {
        const client = connect(server.path);
        const filled = async () => {
          for (let index = 0; index < 100; index++) await client.rpush("rows", `${index}${"x".repeat(100_000)}`);
        };
        await expect(filled()).rejects.toThrow(/OOM/);
        expect(await client.llen("rows")).toBeGreaterThan(0);
        client.disconnect();
      } finally {
        await server.stop();
      }
    },
    async guarded() {
      const server = await startRedis("--maxmemory", "4mb", "--save", "");
      try {
        const client = connect(server.path);
        const memory = new Memory({ store: new RedisMemoryStore({ client }) });
        let kept = 0;
        const filled = async () => {
          for (let batch = 0; batch < 200; batch++) {
            const text = `heron ${"word ".repeat(1_000)}`;
            const records = Array.from({ length: 20 }, (_, index) => ({ text: `${text} batch${batch}x${index}` }));
            await memory.records.createMany(context, "m", records);
            kept += 20;
          }
        };
        await expect(filled()).rejects.toMatchObject({
          code: "MEMORY_BACKEND_FAILED",
          retryable: true,
          message: expect.stringContaining("maxmemory"),
        });
        expect(kept).toBeGreaterThan(0);
        const { items } = await memory.records.list(context, "m", { limit: 1_000 });
        expect(items).toHaveLength(kept);
        expect(await memory.search(context, "m", { text: "heron", topK: 1_000 })).toHaveLength(kept);
        await client.config("SET", "maxmemory", "0");
        await memory.records.create(context, "m", { text: "one more heron" });
        client.disconnect();
      } finally {
        await server.stop();
      }
    },
  });

  hostile("a query and a name that are code for the backend", {
    backend: "redis",
    control: "text pasted into a script is run by the server",
    async unguarded() {
      const server = await startRedis();
      try {
        const client = connect(server.path);
        await client.set("kept", "1");
        const text = "x') redis.call('FLUSHALL') redis.call('GET', 'y";
        await client.eval(`redis.call('GET', '${text}')`, 0);
        expect(await client.exists("kept")).toBe(0);
        client.disconnect();
      } finally {
        await server.stop();
      }
    },
    async guarded() {
      const server = await startRedis();
      try {
        const client = connect(server.path);
        const memory = new Memory({ store: new RedisMemoryStore({ client }) });
        await memory.records.create(context, "m", { text: "secret" });
        const codes = [
          "x') redis.call('FLUSHALL') return ('",
          "]] redis.call('FLUSHALL') --[[",
          "*",
          "{acme/m}",
          "\r\nFLUSHALL\r\n",
        ];
        for (const code of codes) {
          expect(await memory.search(context, "m", { text: code })).toEqual([]);
          await memory.records.create({ principal: { tenant: code } }, code, { text: code, externalId: code });
          expect(await memory.records.get({ principal: { tenant: code } }, code, { externalId: code })).toMatchObject({
            text: code,
          });
        }
        expect(await memory.search(context, "m", { text: "secret" })).toHaveLength(1);
        client.disconnect();
      } finally {
        await server.stop();
      }
    },
  });

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
