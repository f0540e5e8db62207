export { RedisApprovalStore } from "./redis-approval-store.ts";
export type { RedisClient } from "./redis-client.ts";
export { RedisGatewayStore } from "./redis-gateway-store.ts";
export { RedisRateLimiter } from "./redis-rate-limiter.ts";
export { RedisSlotLimiter } from "./redis-slot-limiter.ts";
