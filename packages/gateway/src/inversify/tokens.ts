import type { ServiceIdentifier } from "inversify";
import type { AgentSessions } from "../agent-sessions.ts";
import type { ApprovalStore } from "../approval-store.ts";
import type { CredentialInjector } from "../credential-injector.ts";
import type { Gateway } from "../gateway.ts";
import type { InboundAuthenticator } from "../inbound-authenticator.ts";
import type { Permissions } from "../permissions.ts";
import type { Pricing } from "../pricing.ts";
import type { RateLimiter } from "../rate-limiter.ts";
import type { SlotLimiter } from "../slot-limiter.ts";
import type { ToolSource } from "../tool-source.ts";
import { token } from "./binding.ts";

export { CLOCK, IDS } from "./binding.ts";

export const GATEWAY: ServiceIdentifier<Gateway> = token("@ashlar/gateway:Gateway");
/** The gateway's tools, for whoever runs agents in this process. */
export const GATEWAY_TOOLS: ServiceIdentifier<ToolSource> = token("@ashlar/gateway:GatewayTools");
export const INBOUND_AUTHENTICATOR: ServiceIdentifier<InboundAuthenticator> = token(
  "@ashlar/gateway:InboundAuthenticator",
);
export const CREDENTIAL_INJECTOR: ServiceIdentifier<CredentialInjector> = token("@ashlar/gateway:CredentialInjector");
export const AGENT_SESSIONS: ServiceIdentifier<AgentSessions> = token("@ashlar/gateway:AgentSessions");
export const PERMISSIONS: ServiceIdentifier<Permissions> = token("@ashlar/gateway:Permissions");
export const PRICING: ServiceIdentifier<Pricing> = token("@ashlar/gateway:Pricing");
export const RATE_LIMITER: ServiceIdentifier<RateLimiter> = token("@ashlar/gateway:RateLimiter");
export const SLOT_LIMITER: ServiceIdentifier<SlotLimiter> = token("@ashlar/gateway:SlotLimiter");
/** Where calls wait that permissions answer with `ask`. */
export const APPROVAL_STORE: ServiceIdentifier<ApprovalStore> = token("@ashlar/gateway:ApprovalStore");
