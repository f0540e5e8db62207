export type { RedisClient } from "./redis-client.ts";
export { RedisMemoryStore, type RedisMemoryStoreDeps } from "./redis-memory-store.ts";
