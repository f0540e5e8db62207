export { RedisAuditStore, type RedisAuditStoreDeps } from "./redis-audit-store.ts";
export type { RedisClient } from "./redis-client.ts";
export { RedisIdentityStore, type RedisIdentityStoreDeps } from "./redis-identity-store.ts";
