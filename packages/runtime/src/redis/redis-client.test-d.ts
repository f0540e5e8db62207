import type { Cluster, Redis } from "ioredis";
import type { RedisClient, RedisSubscriber } from "./redis-client.ts";

/** The slices are ones that both of ioredis's clients have. */
export const clients: readonly ((client: never) => RedisClient & RedisSubscriber)[] = [
  (client: Redis): RedisClient & RedisSubscriber => client,
  (client: Cluster): RedisClient & RedisSubscriber => client,
];
