export { type GatewayStoreConformanceOptions, gatewayStoreConformance } from "./gateway-store-conformance.ts";
export { InMemoryAgentSessions } from "./in-memory-agent-sessions.ts";
export { ManualClock, SequentialIds } from "./manual-clock.ts";
export { type RateLimiterConformanceOptions, rateLimiterConformance } from "./rate-limiter-conformance.ts";
export type { TestFunction } from "./suite.ts";
