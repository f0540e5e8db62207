import type { Cluster, Redis } from "ioredis";
import type { RedisClient } from "./redis-client.ts";

/** The slice is one that both of ioredis's clients have. */
export const clients: readonly ((client: never) => RedisClient)[] = [
  (client: Redis): RedisClient => client,
  (client: Cluster): RedisClient => client,
];
