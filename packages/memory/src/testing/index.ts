export { type EmbedderConformanceOptions, embedderConformance } from "./embedder-conformance.ts";
export { type ExtractorConformanceOptions, extractorConformance } from "./extractor-conformance.ts";
export { ManualClock, SequentialIds } from "./manual-clock.ts";
export { type MemoryStoreConformanceOptions, memoryStoreConformance } from "./memory-store-conformance.ts";
export { type ReflectorConformanceOptions, reflectorConformance } from "./reflector-conformance.ts";
export type { TestFunction } from "./suite.ts";
