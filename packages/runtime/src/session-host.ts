import type { CallContext } from "./dialect.ts";

/** In rising order. */
export type IsolationGrade = "none" | "process" | "language" | "namespace" | "kernel" | "vm";

/** Of a program with everything that it starts. One that goes over is refused what it asks for, slowed or killed. */
export interface HostedLimits {
  readonly memoryMiB?: number;
  /** Share of processors at a time: 0.5 is half of one. */
  readonly cpus?: number;
  /** Processor time from its start to its end. */
  readonly cpuSeconds?: number;
  /** At a time. */
  readonly processes?: number;
  readonly diskMiB?: number;
  /** From its start, busy or not. */
  readonly lifetimeMs?: number;
}

/**
 * - `enforced`: nothing that the program does gets past it.
 * - `degraded`: by a weaker means, for each process alone or by looking from time to time.
 */
export type LimitEnforcement = "enforced" | "degraded";

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
  /** `reason` says why, where code and signal do not: the limit that was reached. */
  readonly exit: Promise<{ readonly code?: number; readonly signal?: string; readonly reason?: string }>;
  /** How each limit that was asked for is held; absent where the host does not tell. */
  readonly held?: { readonly [limit in keyof HostedLimits]?: LimitEnforcement };
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
