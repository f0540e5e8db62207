export const LANGUAGES = ["python", "javascript", "typescript"] as const;
export type Language = (typeof LANGUAGES)[number];

/**
 * One result in several forms, keyed by media type as in Jupyter's messages. Text forms (`text/plain`, `text/html`,
 * `image/svg+xml`, `application/json`) are strings; `image/png` and other binary forms are base64. Everything here
 * was made by the code inside: HTML and SVG are hostile until a viewer isolates them.
 */
export interface MimeBundle {
  /** `value`: what the last expression gave; `display`: shown on the way. */
  readonly kind: "value" | "display";
  readonly data: Readonly<Record<string, string>>;
}

export interface ExecutionError {
  /** The language's own name of the exception: `ZeroDivisionError`. */
  readonly name: string;
  readonly message: string;
  readonly traceback: string;
}

/**
 * - `ok` and `error`: the code ended by itself.
 * - `interrupted`: by `interrupt`; state is kept unless `stateLost`.
 * - `timeout`: the wall time ran out; interrupted first, killed when that did not help.
 * - `died`: the kernel ended under the code (killed for memory, `os._exit`, a crash); the next run starts afresh.
 */
export type ExecutionStatus = "ok" | "error" | "interrupted" | "timeout" | "died";

export interface Execution {
  readonly status: ExecutionStatus;
  readonly context: string;
  readonly results: readonly MimeBundle[];
  readonly stdout: string;
  readonly stderr: string;
  /** Output or results were over the cap and are cut. */
  readonly truncated: boolean;
  readonly error?: ExecutionError;
  /** The context's variables are gone; the next run starts with none. */
  readonly stateLost: boolean;
  readonly durationMs: number;
}

export interface RunOptions {
  /** Default `python` where the sandbox has it, else its first language. */
  readonly language?: Language;
  /** From `createContext`. Without it the language's own default context runs the code. */
  readonly context?: string;
  /** Wall time; default is the sandbox's `limits.wallTimeMs`. */
  readonly timeoutMs?: number;
  /** Called with each piece of output as it comes, under the same cap as the result. */
  onOutput?(piece: OutputPiece): void;
  /** Aborting interrupts the code; the promise rejects with `TOOLS_CANCELLED`. */
  readonly signal?: AbortSignal;
}

export interface OutputPiece {
  readonly stream: "stdout" | "stderr";
  readonly text: string;
}

/** Where variables live between runs: one interpreter process each. */
export interface ExecutionContext {
  readonly id: string;
  readonly language: Language;
}
