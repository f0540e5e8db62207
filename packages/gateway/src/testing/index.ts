export { InMemoryAgentSessions } from "./in-memory-agent-sessions.ts";
export { ManualClock, SequentialIds } from "./manual-clock.ts";
export type { TestFunction } from "./suite.ts";
