export type { Capabilities, Enforcement, LimitEnforcement } from "./capabilities.ts";
export type { CommandResult, ExecOptions, ProcessExit, SandboxProcess, SpawnOptions } from "./command.ts";
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
export type { EgressGateway, EgressLink } from "./egress.ts";
export type { EgressCredentials, OutboundRequest } from "./egress-credentials.ts";
export { ToolsError, type ToolsErrorCode } from "./errors.ts";
export {
  type Execution,
  type ExecutionContext,
  type ExecutionError,
  type ExecutionStatus,
  LANGUAGES,
  type Language,
  type MimeBundle,
  type OutputPiece,
  type RunOptions,
} from "./execution.ts";
export { GRADES, type IsolationGrade, isAtLeast } from "./grades.ts";
export { type AllowedHost, type NetworkMode, type NetworkPolicy, NO_NETWORK } from "./network-policy.ts";
export { parseNetworkPolicy, parseSandboxSpec } from "./parse-sandbox-spec.ts";
export type { Endpoint, Sandbox, SnapshotRef } from "./sandbox.ts";
export type { ProbeReport, SandboxBackend } from "./sandbox-backend.ts";
export type { FileEntry, GrepMatch, SandboxFiles } from "./sandbox-files.ts";
export { SandboxPool } from "./sandbox-pool.ts";
export type { SandboxLimits, SandboxMount, SandboxSpec } from "./sandbox-spec.ts";
export { type HostedProcess, type HostedProgram, SandboxSessionHost } from "./session-host.ts";
export { type Choice, strongestBackend } from "./strongest-backend.ts";
export type { Workspaces } from "./workspaces.ts";
