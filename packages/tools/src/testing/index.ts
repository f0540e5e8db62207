export { ManualClock, SequentialIds } from "./manual-clock.ts";
export { sandboxConformance } from "./sandbox-conformance.ts";
export type { TestFunction } from "./suite.ts";
