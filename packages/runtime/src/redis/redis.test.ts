import { Redis } from "ioredis";
import { afterAll, beforeAll, test } from "vitest";
import { type PrivateRedis, startRedis } from "../../../../test/support/redis.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { sessionLogEquivalence, workQueueEquivalence } from "../testing/fixtures/equivalence.ts";
import { engineConformance } from "./fixtures/engine-conformance.ts";
import { RedisSessionLog, RedisWorkQueue } from "./index.ts";

describeWith([parts.redis], "redis", () => {
  let server: PrivateRedis;
  let client: Redis;
  let subscriber: Redis;
  let made = 0;
  const prefix = () => `law${made++}:`;

  beforeAll(async () => {
    server = await startRedis();
    client = new Redis(server.path);
    subscriber = client.duplicate();
  });
  afterAll(async () => {
    client.disconnect();
    subscriber.disconnect();
    await server.stop();
  });

  engineConformance(() => ({ client, subscriber, prefix: prefix() }));

  test("whatever two owners do to a session log, Redis answers as the log in memory, and the laws hold", () =>
    sessionLogEquivalence((deps) => new RedisSessionLog({ client, prefix: prefix(), ...deps }), 30));

  test("whatever two workers do to a work queue, Redis answers as the queue in memory, and no job is lost", () =>
    workQueueEquivalence((deps) => new RedisWorkQueue({ client, prefix: prefix(), ...deps }), 30));
});
