export { type BlobStoreConformance, blobStoreConformance } from "./blob-store-conformance.ts";
export { type CatalogConformance, catalogConformance } from "./catalog-conformance.ts";
export { type LiveBusConformance, liveBusConformance } from "./live-bus-conformance.ts";
export { ManualClock, SequentialIds } from "./manual-clock.ts";
export { type SessionHostConformance, sessionHostConformance } from "./session-host-conformance.ts";
export { type SessionLogConformance, sessionLogConformance } from "./session-log-conformance.ts";
export type { TestFunction } from "./suite.ts";
export { type WorkQueueConformance, workQueueConformance } from "./work-queue-conformance.ts";
