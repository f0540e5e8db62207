export { findSecret, type SecretHit, secretEncodings } from "./canary.ts";
export { ManualClock, SequentialIds } from "./manual-clock.ts";
export type { TestFunction } from "./suite.ts";
