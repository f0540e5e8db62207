export { InMemoryBlobStore } from "./in-memory-blob-store.ts";
export { InMemoryCatalog } from "./in-memory-catalog.ts";
export { InMemoryLiveBus } from "./in-memory-live-bus.ts";
export { InMemorySessionLog } from "./in-memory-session-log.ts";
export { InMemoryWorkQueue } from "./in-memory-work-queue.ts";
