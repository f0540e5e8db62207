export type { EgressDecision, EgressLog } from "./egress-decision.ts";
export { EgressProxy, type EgressProxyDeps } from "./egress-proxy.ts";
