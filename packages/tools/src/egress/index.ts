export { createEgressAuthority, EgressAuthority, type EgressAuthorityDeps } from "./egress-authority.ts";
export type { EgressDecision, EgressLog } from "./egress-decision.ts";
export { EgressProxy, type EgressProxyDeps } from "./egress-proxy.ts";
export { EgressProcess, type EgressProcessDeps } from "./process/egress-process.ts";
export type { EgressSubstitution } from "./substitution.ts";
