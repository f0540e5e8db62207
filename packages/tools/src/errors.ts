import type { ErrorKind, KindedError } from "./dialect.ts";

const brand: unique symbol = Symbol.for("@ashlar/tools:ToolsError") as never;

export type ToolsErrorCode =
  | "TOOLS_INVALID"
  | "TOOLS_UNSUPPORTED"
  | "TOOLS_ISOLATION_UNAVAILABLE"
  | "TOOLS_LANGUAGE_MISSING"
  | "TOOLS_PROGRAM_MISSING"
  | "TOOLS_UNKNOWN_CONTEXT"
  | "TOOLS_UNKNOWN_TASK"
  | "TOOLS_UNKNOWN_TOOL"
  | "TOOLS_FILE_NOT_FOUND"
  | "TOOLS_FILE_REFUSED"
  | "TOOLS_PATH_OUTSIDE"
  | "TOOLS_TOO_LARGE"
  | "TOOLS_LIMIT_EXCEEDED"
  | "TOOLS_ARCHIVE_REFUSED"
  | "TOOLS_NETWORK_REFUSED"
  | "TOOLS_PAGE_FAILED"
  | "TOOLS_UNKNOWN_ELEMENT"
  | "TOOLS_CONTROL_HELD"
  | "TOOLS_CLOSED"
  | "TOOLS_CANCELLED"
  | "TOOLS_SANDBOX_DIED"
  | "TOOLS_PROTOCOL"
  | "TOOLS_BACKEND_FAILED";

/** How a neighbour may react to each code. */
const kinds: Readonly<Record<ToolsErrorCode, ErrorKind>> = {
  TOOLS_INVALID: "invalid",
  TOOLS_UNSUPPORTED: "invalid",
  TOOLS_ISOLATION_UNAVAILABLE: "unavailable",
  TOOLS_LANGUAGE_MISSING: "invalid",
  TOOLS_PROGRAM_MISSING: "not_found",
  TOOLS_UNKNOWN_CONTEXT: "not_found",
  TOOLS_UNKNOWN_TASK: "not_found",
  TOOLS_UNKNOWN_TOOL: "not_found",
  TOOLS_FILE_NOT_FOUND: "not_found",
  TOOLS_FILE_REFUSED: "denied",
  TOOLS_PATH_OUTSIDE: "denied",
  TOOLS_TOO_LARGE: "invalid",
  TOOLS_LIMIT_EXCEEDED: "limited",
  TOOLS_ARCHIVE_REFUSED: "invalid",
  TOOLS_NETWORK_REFUSED: "denied",
  TOOLS_PAGE_FAILED: "unavailable",
  TOOLS_UNKNOWN_ELEMENT: "not_found",
  TOOLS_CONTROL_HELD: "conflict",
  TOOLS_CLOSED: "conflict",
  TOOLS_CANCELLED: "cancelled",
  TOOLS_SANDBOX_DIED: "unavailable",
  TOOLS_PROTOCOL: "internal",
  TOOLS_BACKEND_FAILED: "unavailable",
};

/** The one error class of this package: `switch (error.code)` is exhaustive. */
export class ToolsError extends Error implements KindedError {
  override readonly name = "ToolsError" as const;
  readonly code: ToolsErrorCode;
  readonly kind: ErrorKind;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;

  constructor(code: ToolsErrorCode, message: string, options?: ErrorOptions & { readonly retryAfterMs?: number }) {
    super(message, options);
    this.code = code;
    this.kind = kinds[code];
    this.retryable = this.kind === "unavailable" || this.kind === "limited";
    if (options?.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
    Object.defineProperty(this, brand, { value: true });
  }

  /** Holds across duplicate copies of this package, where `instanceof` does not. */
  static is(error: unknown): error is ToolsError {
    return typeof error === "object" && error !== null && brand in error;
  }
}
