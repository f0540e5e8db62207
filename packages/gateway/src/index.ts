export type { AgentDescription, AgentEvent, AgentSessions } from "./agent-sessions.ts";
export type { AgentConventions } from "./agents/conventions.ts";
export type { Publication } from "./agents/publications.ts";
export { anyone } from "./anonymous.ts";
export type { Answer } from "./answer.ts";
export { ApiKeys, type NewApiKey } from "./api-keys.ts";
export type { ApprovalAnswer, ApprovalRecord, ApprovalStore } from "./approval-store.ts";
export { Approvals } from "./approvals.ts";
export type { CredentialInjector, OutboundRequest } from "./credential-injector.ts";
export type {
  CallContext,
  Clock,
  ErrorKind,
  IdSource,
  Json,
  KindedError,
  Metadata,
  Page,
  Principal,
  Redactor,
} from "./dialect.ts";
export { systemClock, systemIds, uuidSource } from "./dialect.ts";
export { GatewayError, type GatewayErrorCode } from "./errors.ts";
export { firstOf } from "./first-of.ts";
export { Gateway } from "./gateway.ts";
export type { Connection, GatewayDeps } from "./gateway-deps.ts";
export type { ApiKeyRecord, CallRecord, GatewayStore, TargetRecord } from "./gateway-store.ts";
export type { ResourceMetadata } from "./http/auth.ts";
export type { OriginOptions } from "./http/origin.ts";
export { InMemoryApprovalStore } from "./in-memory/in-memory-approval-store.ts";
export { InMemoryGatewayStore } from "./in-memory/in-memory-gateway-store.ts";
export { InMemoryRateLimiter } from "./in-memory/in-memory-rate-limiter.ts";
export { InMemorySlotLimiter } from "./in-memory/in-memory-slot-limiter.ts";
export type { Caller, InboundAuthenticator } from "./inbound-authenticator.ts";
export type { Facet, Facets, LimitRule, LimitUnit, QuotaRule, SlotRule } from "./limits/limit-rule.ts";
export type { LimitsOptions } from "./limits/limits.ts";
export type { PermissionDecision, PermissionRequest, Permissions } from "./permissions.ts";
export type { ModelUsage, Pricing } from "./pricing.ts";
export { type ClientCertificate, ProxyAuthenticator, type ProxyAuthenticatorOptions } from "./proxy-authenticator.ts";
export type { Quota, RateDecision, RateLimiter } from "./rate-limiter.ts";
export { type CacheOptions, type CacheRule, cached } from "./resilience/cached.ts";
export type { BreakerOptions } from "./resilience/circuit-breaker.ts";
export { type IdempotencyOptions, idempotent } from "./resilience/idempotent.ts";
export { type ResilienceOptions, type RetryOptions, resilient } from "./resilience/resilient.ts";
export { ScopeError, type ScopeRule } from "./scope-guard.ts";
export { searchedTools } from "./searched-tools.ts";
export type { Slot, SlotLimiter } from "./slot-limiter.ts";
export type { SocketAcceptance, SocketChannel } from "./socket.ts";
export type { StandardResult, StandardSchema } from "./standard-schema.ts";
export { StoredTargets, type StoredTargetsDeps, type TargetMaker } from "./stored-targets.ts";
export type { ForwardedMessage, Target, TargetAuth, TargetFactory, TargetParts } from "./target.ts";
export type { TargetHealth } from "./target-health.ts";
export type { OAuthChallenge, TargetOAuth } from "./target-oauth.ts";
export { agentsTarget } from "./targets/agents-target.ts";
export { type FunctionTool, functionsTarget } from "./targets/functions-target.ts";
export { type HttpFunctionsOptions, httpFunctionsTarget } from "./targets/http-functions-target.ts";
export { type McpTargetOptions, mcpTarget } from "./targets/mcp-target.ts";
export { toolDigest } from "./tool-digest.ts";
export type { ToolEmbedder } from "./tool-embedder.ts";
export type { ToolCall, ToolInterceptor } from "./tool-interceptor.ts";
export { ToolSearch } from "./tool-search.ts";
export type { ToolContent, ToolDescription, ToolResult, ToolSource } from "./tool-source.ts";
export type { OutboundResponse, SendOptions, Transport } from "./transport.ts";
export { UndiciTransport, type UndiciTransportOptions } from "./undici-transport.ts";
