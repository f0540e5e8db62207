export {
  type EgressCredentialsConformanceOptions,
  egressCredentialsConformance,
} from "./egress-credentials-conformance.ts";
export {
  type HostileCase,
  type HostileConformanceOptions,
  type HostilePlace,
  hostileConformance,
} from "./hostile/hostile-conformance.ts";
export { ManualClock, SequentialIds } from "./manual-clock.ts";
export { sandboxConformance } from "./sandbox-conformance.ts";
export { type SealerConformanceOptions, sealerConformance } from "./sealer-conformance.ts";
export type { TestFunction } from "./suite.ts";
export { type WorkspacesConformanceOptions, workspacesConformance } from "./workspaces-conformance.ts";
