import type { ErrorKind, KindedError } from "./dialect.ts";

const brand: unique symbol = Symbol.for("@ashlar/runtime:RuntimeError") as never;

export type RuntimeErrorCode =
  | "RUNTIME_INVALID"
  | "RUNTIME_TOO_LARGE"
  | "RUNTIME_NOT_FOUND"
  | "RUNTIME_DENIED"
  | "RUNTIME_CONFLICT"
  | "RUNTIME_FENCED"
  | "RUNTIME_SESSION_EXISTS"
  | "RUNTIME_SESSION_ENDED"
  | "RUNTIME_SESSION_BUSY"
  | "RUNTIME_STEP_FAILED"
  | "RUNTIME_STEP_UNCERTAIN"
  | "RUNTIME_WAIT_TIMEOUT"
  | "RUNTIME_DIVERGED"
  | "RUNTIME_LIMITED"
  | "RUNTIME_CANCELLED"
  | "RUNTIME_CLOSED"
  | "RUNTIME_HOST_FAILED"
  | "RUNTIME_BACKEND_FAILED";

/** How a neighbour may react to each code. */
const kinds: Readonly<Record<RuntimeErrorCode, ErrorKind>> = {
  RUNTIME_INVALID: "invalid",
  RUNTIME_TOO_LARGE: "invalid",
  RUNTIME_NOT_FOUND: "not_found",
  RUNTIME_DENIED: "denied",
  RUNTIME_CONFLICT: "conflict",
  RUNTIME_FENCED: "conflict",
  RUNTIME_SESSION_EXISTS: "conflict",
  RUNTIME_SESSION_ENDED: "conflict",
  RUNTIME_SESSION_BUSY: "conflict",
  RUNTIME_STEP_FAILED: "internal",
  RUNTIME_STEP_UNCERTAIN: "conflict",
  RUNTIME_WAIT_TIMEOUT: "cancelled",
  RUNTIME_DIVERGED: "conflict",
  RUNTIME_LIMITED: "limited",
  RUNTIME_CANCELLED: "cancelled",
  RUNTIME_CLOSED: "unavailable",
  RUNTIME_HOST_FAILED: "unavailable",
  RUNTIME_BACKEND_FAILED: "unavailable",
};

/** The one error class of this package: `switch (error.code)` is exhaustive. */
export class RuntimeError extends Error implements KindedError {
  override readonly name = "RuntimeError" as const;
  readonly code: RuntimeErrorCode;
  readonly kind: ErrorKind;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;

  constructor(code: RuntimeErrorCode, message: string, options?: ErrorOptions & { readonly retryAfterMs?: number }) {
    super(message, options);
    this.code = code;
    this.kind = kinds[code];
    this.retryable = this.kind === "unavailable" || this.kind === "limited";
    if (options?.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
    Object.defineProperty(this, brand, { value: true });
  }

  /** Holds across duplicate copies of this package, where `instanceof` does not. */
  static is(error: unknown): error is RuntimeError {
    return typeof error === "object" && error !== null && brand in error;
  }
}
