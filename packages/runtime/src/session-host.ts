import type { CallContext } from "./dialect.ts";

/** In rising order. */
export type IsolationGrade = "none" | "process" | "language" | "namespace" | "kernel" | "vm";

export interface HostedLimits {
  readonly memoryMiB?: number;
  readonly cpus?: number;
  readonly processes?: number;
  readonly diskMiB?: number;
}

export interface HostedProgram {
  readonly command: readonly string[];
  /** All that the program sees of an environment; nothing is inherited. */
  readonly environment?: Readonly<Record<string, string>>;
  /**
   * The program's working directory. A host that keeps files (`WorkspaceHost`, a sandbox with a `Workspaces` port) takes
   * a name here: what the program leaves is there again for the next one of that name.
   */
  readonly workspace?: string;
  readonly limits?: HostedLimits;
}

export interface HostedProcess {
  readonly stdin: WritableStream<Uint8Array>;
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  readonly exit: Promise<{ readonly code?: number; readonly signal?: string; readonly reason?: string }>;
  /** Saves the workspace while the program does nothing. Absent: it is saved at the end only, or not at all. */
  checkpoint?(): Promise<void>;
  /** Ends the whole tree: politely first when `graceMs` is given. Resolves when it is gone. */
  kill(options?: { readonly graceMs?: number }): Promise<void>;
}

/** Start this program somewhere and talk to it. */
export interface SessionHost {
  readonly grade: IsolationGrade;
  /** A limit that the host cannot hold is refused with a typed error, never ignored. */
  start(context: CallContext, program: HostedProgram): Promise<HostedProcess>;
}
