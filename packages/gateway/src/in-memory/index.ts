export { InMemoryRateLimiter } from "./in-memory-rate-limiter.ts";
