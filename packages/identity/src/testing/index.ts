export { type AuditStoreConformanceOptions, auditStoreConformance } from "./audit-store-conformance.ts";
export { findSecret, type SecretHit, secretEncodings } from "./canary.ts";
export { ephemeralWrapper } from "./ephemeral-wrapper.ts";
export { type IdentityStoreConformanceOptions, identityStoreConformance } from "./identity-store-conformance.ts";
export { type KeyWrapperConformanceOptions, keyWrapperConformance } from "./key-wrapper-conformance.ts";
export { ManualClock, SequentialIds } from "./manual-clock.ts";
export type { TestFunction } from "./suite.ts";
