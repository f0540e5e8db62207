export { type AgentSessionsConformanceOptions, agentSessionsConformance } from "./agent-sessions-conformance.ts";
export { type ApprovalStoreConformanceOptions, approvalStoreConformance } from "./approval-store-conformance.ts";
export {
  type CredentialInjectorConformanceOptions,
  credentialInjectorConformance,
} from "./credential-injector-conformance.ts";
export { type GatewayStoreConformanceOptions, gatewayStoreConformance } from "./gateway-store-conformance.ts";
export { InMemoryAgentSessions } from "./in-memory-agent-sessions.ts";
export {
  type InboundAuthenticatorConformanceOptions,
  inboundAuthenticatorConformance,
} from "./inbound-authenticator-conformance.ts";
export { ManualClock, SequentialIds } from "./manual-clock.ts";
export { type RateLimiterConformanceOptions, rateLimiterConformance } from "./rate-limiter-conformance.ts";
export { type SlotLimiterConformanceOptions, slotLimiterConformance } from "./slot-limiter-conformance.ts";
export type { TestFunction } from "./suite.ts";
