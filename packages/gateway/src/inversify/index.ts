export { type GatewayModuleOptions, gatewayModule } from "./modules.ts";
export {
  AGENT_SESSIONS,
  APPROVAL_STORE,
  CLOCK,
  CREDENTIAL_INJECTOR,
  GATEWAY,
  GATEWAY_TOOLS,
  IDS,
  INBOUND_AUTHENTICATOR,
  PERMISSIONS,
  PRICING,
  RATE_LIMITER,
  SLOT_LIMITER,
} from "./tokens.ts";
