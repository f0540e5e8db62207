import type { Capabilities } from "./capabilities.ts";
import type { CommandResult, ExecOptions, SandboxProcess, SpawnOptions } from "./command.ts";
import type { Execution, ExecutionContext, Language, RunOptions } from "./execution.ts";
import type { NetworkPolicy } from "./network-policy.ts";
import type { SandboxFiles } from "./sandbox-files.ts";

/** Where a server inside can be reached on this host. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

export interface SnapshotRef {
  readonly backend: string;
  readonly id: string;
}

/**
 * One isolated place to run code and programs. It belongs to the principal it was created for, and to nobody after:
 * a sandbox is never handed from one session to another.
 *
 * Every method rejects with `TOOLS_CLOSED` after `close`, and with `TOOLS_UNSUPPORTED` where `capabilities` says that
 * it is not offered. What happens inside never rejects a call: it is in the result.
 */
export interface Sandbox extends AsyncDisposable {
  readonly id: string;
  readonly capabilities: Capabilities;
  /** Folder inside the sandbox where relative paths start: `/workspace` where the backend has its own root. */
  readonly workspace: string;
  /** Runs of one context wait for each other, in order; other contexts and commands run beside them. */
  run(code: string, options?: RunOptions): Promise<Execution>;
  createContext(options: { readonly language: Language; readonly cwd?: string }): Promise<ExecutionContext>;
  /** Drops all variables: of a context by id, or of a language's default context. */
  clearContext(context: string | { readonly language: Language }): Promise<void>;
  /** Takes an argument vector; ask for a shell by naming it (`["/bin/sh", "-c", "…"]`). Waits for the end. */
  exec(command: readonly string[], options?: ExecOptions): Promise<CommandResult>;
  /** Starts a program and leaves it running until it ends, is killed, or the sandbox closes. */
  spawn(command: readonly string[], options?: SpawnOptions): Promise<SandboxProcess>;
  readonly files: SandboxFiles;
  readonly ports: { expose(port: number): Promise<Endpoint> };
  /** May only tighten, unless the sandbox was created with `networkMutable`. */
  setNetwork(policy: NetworkPolicy): Promise<void>;
  /** Stops the code that runs, in one context or in all, and keeps variables where the language can. */
  interrupt(context?: string): Promise<void>;
  pause?(): Promise<void>;
  resume?(): Promise<void>;
  snapshot?(): Promise<SnapshotRef>;
  /** Resolves when the sandbox has ended, by `close` or by itself; never rejects. */
  readonly closed: Promise<{ readonly reason: string }>;
  /** Saves the workspace where one was named, ends every process inside, leaves nothing on the host. Idempotent. */
  close(): Promise<void>;
}
