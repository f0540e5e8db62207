export { InMemorySessions } from "./in-memory-sessions.ts";
export { ManualClock, SequentialIds } from "./manual-clock.ts";
export { sessionEventFixture } from "./session-event-fixture.ts";
export {
  type SessionControlConformanceOptions,
  type SessionReaderConformanceOptions,
  sessionControlConformance,
  sessionReaderConformance,
} from "./session-ports-conformance.ts";
export { spanFixture, spanIdOf, traceIdOf } from "./span-fixture.ts";
export type { TestFunction } from "./suite.ts";
export { type TraceStoreConformanceOptions, traceStoreConformance } from "./trace-store-conformance.ts";
