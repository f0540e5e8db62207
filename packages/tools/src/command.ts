export interface ExecOptions {
  /** Below the workspace; default the workspace itself. */
  readonly cwd?: string;
  /** Added to the sandbox's own environment. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly stdin?: string | Uint8Array;
  /** Wall time; default is the sandbox's `limits.wallTimeMs`. The whole process group is killed. */
  readonly timeoutMs?: number;
  /** For stdout and stderr each; default is the sandbox's `limits.outputBytes`. What is over is dropped and counted. */
  readonly maxOutputBytes?: number;
  onOutput?(piece: { readonly stream: "stdout" | "stderr"; readonly text: string }): void;
  readonly signal?: AbortSignal;
}

export interface CommandResult {
  /** Absent when a signal ended it. */
  readonly exitCode?: number;
  readonly signal?: string;
  /** Invalid UTF-8 is replaced. */
  readonly stdout: string;
  readonly stderr: string;
  readonly truncated: boolean;
  readonly timedOut: boolean;
  readonly durationMs: number;
}

export interface SpawnOptions {
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** A terminal instead of pipes: stderr then comes on stdout. */
  readonly pty?: { readonly columns: number; readonly rows: number };
  readonly signal?: AbortSignal;
}

export interface ProcessExit {
  readonly code?: number;
  readonly signal?: string;
  /** Why it ended, where neither says: `sandbox closed`. */
  readonly reason?: string;
}

/** A program running inside, under back-pressure: it waits when nobody reads. */
export interface SandboxProcess {
  readonly id: string;
  readonly stdin: WritableStream<Uint8Array>;
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  /** Resolves once, after the last byte of output was handed on; never rejects. */
  readonly exit: Promise<ProcessExit>;
  /** SIGTERM to the process group, SIGKILL after `graceMs` (default 0: at once). Idempotent. */
  kill(options?: { readonly graceMs?: number }): Promise<void>;
  resize(size: { readonly columns: number; readonly rows: number }): Promise<void>;
}
