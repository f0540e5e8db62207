import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type PrivateRedis, startRedis } from "../../../../test/support/redis.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { InMemoryMemoryStore } from "../in-memory/index.ts";
import { Memory } from "../memory.ts";
import { ManualClock, memoryStoreConformance, SequentialIds } from "../testing/index.ts";
import { RedisMemoryStore } from "./index.ts";

describeWith([parts.redis], "redis", () => {
  let server: PrivateRedis;
  let client: Redis;
  let stores = 0;

  beforeAll(async () => {
    server = await startRedis();
    client = new Redis(server.path);
  });
  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });

  memoryStoreConformance({ test, createStore: () => new RedisMemoryStore({ client, prefix: `test-${stores++}:` }) });

  test("all keys of a scope share one hash tag", async () => {
    const memory = new Memory({ store: new RedisMemoryStore({ client, prefix: "tags:" }) });
    await memory.events.append({ principal: { tenant: "a{b}c" } }, "m", {
      actor: "a",
      session: "s",
      role: "user",
      text: "one two",
    });
    const keys = (await client.keys("tags:*")).filter((key) => !["tags:scopes", "tags:schema"].includes(key));
    expect(new Set(keys.map((key) => /\{([^}]*)\}/.exec(key)?.[1]))).toEqual(new Set(["a%7Bb%7Dc/m"]));
  });

  test("ranks as the in-memory store does, to the last bit of the score", async () => {
    const context = { principal: { tenant: "t" } };
    const words = ["heron", "blue", "kitchen", "paint", "Ada", "rain?", "Oslo", "trip"];
    const text = (seed: number) =>
      Array.from({ length: 1 + (seed % 70) }, (_, at) => words[(seed * 7 + at * at) % 8]).join(" ");
    const answers: unknown[] = [];
    for (const store of [new InMemoryMemoryStore(), new RedisMemoryStore({ client, prefix: "parity:" })]) {
      const memory = new Memory({ store, clock: new ManualClock(), ids: new SequentialIds() });
      for (let index = 0; index < 120; index++) {
        const speaker = index % 3 === 0 ? "Ada" : "Ben";
        await memory.events.append(context, "m", {
          actor: "a",
          session: `s${index % 5}`,
          role: "user",
          speaker,
          text: text(index),
        });
        if (index % 4 === 0) await memory.records.create(context, "m", { text: text(index + 3) });
      }
      const asked = ["heron Oslo", "Ada paint", "rain trip kitchen", "blue"];
      answers.push(
        await Promise.all(asked.map((each) => memory.search(context, "m", { text: each, topK: 50, explain: true }))),
      );
    }
    expect(answers[1]).toEqual(answers[0]);
  });

  test("keys of a later layout are refused and left as they were", async () => {
    await client.set("later:schema", "99");
    const memory = new Memory({ store: new RedisMemoryStore({ client, prefix: "later:" }) });
    await expect(memory.records.create({ principal: { tenant: "t" } }, "m", { text: "x" })).rejects.toMatchObject({
      code: "MEMORY_SCHEMA_NEWER",
      message: expect.stringContaining("Upgrade"),
    });
    expect(await client.keys("later:*")).toEqual(["later:schema"]);
  });

  test("a server that dies in the middle is an error that can be retried and holds nobody's words", async () => {
    const own = await startRedis();
    const dying = new Redis(own.path, { maxRetriesPerRequest: 0, retryStrategy: () => null });
    dying.on("error", () => {});
    const memory = new Memory({ store: new RedisMemoryStore({ client: dying }) });
    const context = { principal: { tenant: "t" } };
    await memory.events.append(context, "m", { actor: "a", session: "s", role: "user", text: "before" });
    await own.stop();
    const failure = await memory.events
      .append(context, "m", { actor: "a", session: "s", role: "user", text: "planted words" })
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "MEMORY_BACKEND_FAILED", retryable: true });
    const { inspect } = await import("node:util");
    expect(inspect(failure, { depth: 10, showHidden: true })).not.toContain("planted words");
  });
});
