export type { RedisDurability } from "./connection.ts";
export { RedisCatalog, type RedisCatalogDeps } from "./redis-catalog.ts";
export type { RedisClient, RedisSubscriber } from "./redis-client.ts";
export { RedisLiveBus, type RedisLiveBusDeps } from "./redis-live-bus.ts";
export { RedisSessionLog, type RedisSessionLogDeps } from "./redis-session-log.ts";
export { RedisWorkQueue, type RedisWorkQueueDeps } from "./redis-work-queue.ts";
export { checkRedis } from "./server-check.ts";
