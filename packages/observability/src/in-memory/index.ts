export { InMemoryTraceStore } from "./in-memory-trace-store.ts";
