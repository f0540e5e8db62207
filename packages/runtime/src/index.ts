export { type AdmissionPolicy, type StarvedLane, starvedLanes } from "./admission.ts";
export type { Agent, Budget, TurnInput } from "./agent.ts";
export {
  AgentCatalog,
  type AgentCatalogDeps,
  type AgentFactory,
  type CataloguedAgent,
} from "./agent-catalog.ts";
export type { AgentListing, AgentSource } from "./agent-source.ts";
export type { BlobRef, BlobStore } from "./blob-store.ts";
export { BlobSessionLog, type BlobSessionLogDeps, BlobWorkspaces, type BlobWorkspacesDeps } from "./blobs/index.ts";
export type { Catalog, CatalogEntry } from "./catalog.ts";
export type {
  CallContext,
  Clock,
  ErrorKind,
  IdSource,
  Json,
  KindedError,
  Metadata,
  Page,
  Principal,
  Redactor,
} from "./dialect.ts";
export { systemClock, systemIds, uuidSource } from "./dialect.ts";
export type { Check, Divergence } from "./engine/check.ts";
export { type Environment, type EnvironmentDefinition, Environments, type EnvironmentsDeps } from "./environments.ts";
export { RuntimeError, type RuntimeErrorCode } from "./errors.ts";
export {
  InMemoryBlobStore,
  InMemoryCatalog,
  InMemoryLiveBus,
  InMemorySessionLog,
  InMemoryWorkQueue,
} from "./in-memory/index.ts";
export type { LiveBus, LiveMessage } from "./live-bus.ts";
export { OutsideWork, type OutsideWorkDeps, type WorkDepth, type WorkItem } from "./outside-work.ts";
export type { Permissions } from "./permissions.ts";
export type { Pricing } from "./pricing.ts";
export { Runtime, type RuntimeDeps } from "./runtime.ts";
export { type Schedule, type ScheduleDefinition, Schedules, type SchedulesDeps } from "./schedules.ts";
export type {
  ApprovalRequest,
  ChildReport,
  ChildRequest,
  OutsideRequest,
  Session,
  SessionUsage,
  StepCall,
  StepOptions,
  Usage,
} from "./session.ts";
export { EVENT_SCHEMA_VERSION, INPUT_FENCE, type NewEvent, type SessionEvent } from "./session-event.ts";
export type {
  HostedLimits,
  HostedProcess,
  HostedProgram,
  IsolationGrade,
  LimitEnforcement,
  SessionHost,
} from "./session-host.ts";
export type {
  Claim,
  DueSession,
  NewSession,
  Release,
  SessionChange,
  SessionLog,
  SessionQuery,
  SessionRecord,
  SessionStatus,
} from "./session-log.ts";
export type { SessionMemory } from "./session-memory.ts";
export { SessionRecords } from "./session-records.ts";
export { type CheckOptions, type OpenSession, Sessions, type StreamedEvent } from "./sessions.ts";
export type { ToolDescription, ToolResult, ToolSource } from "./tool-source.ts";
export type {
  ConcurrencyLimit,
  Job,
  Lane,
  LaneDepth,
  LaneState,
  RateLimit,
  Taken,
  TakenJob,
  TakeOptions,
  WorkQueue,
} from "./work-queue.ts";
