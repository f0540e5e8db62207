export { findSecret, type SecretHit, secretEncodings } from "./canary.ts";
export { ephemeralWrapper } from "./ephemeral-wrapper.ts";
export { ManualClock, SequentialIds } from "./manual-clock.ts";
export type { TestFunction } from "./suite.ts";
