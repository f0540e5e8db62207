import type { ErrorKind, KindedError } from "./dialect.ts";

const brand: unique symbol = Symbol.for("@ashlar/memory:MemoryError") as never;

export type MemoryErrorCode =
  | "MEMORY_INVALID"
  | "MEMORY_TOO_LARGE"
  | "MEMORY_NOT_FOUND"
  | "MEMORY_CONFLICT"
  | "MEMORY_DIMENSIONS"
  | "MEMORY_CORRUPT"
  | "MEMORY_SCHEMA_NEWER"
  | "MEMORY_BACKEND_FAILED"
  | "MEMORY_STORE_CLOSED";

/** How a neighbour may react to each code. */
const kinds: Readonly<Record<MemoryErrorCode, ErrorKind>> = {
  MEMORY_INVALID: "invalid",
  MEMORY_TOO_LARGE: "invalid",
  MEMORY_NOT_FOUND: "not_found",
  MEMORY_CONFLICT: "conflict",
  MEMORY_DIMENSIONS: "invalid",
  MEMORY_CORRUPT: "internal",
  MEMORY_SCHEMA_NEWER: "conflict",
  MEMORY_BACKEND_FAILED: "unavailable",
  MEMORY_STORE_CLOSED: "internal",
};

/** The one error class of this package: `switch (error.code)` is exhaustive. */
export class MemoryError extends Error implements KindedError {
  override readonly name = "MemoryError" as const;
  readonly code: MemoryErrorCode;
  readonly kind: ErrorKind;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;

  constructor(code: MemoryErrorCode, message: string, options?: ErrorOptions & { readonly retryAfterMs?: number }) {
    super(message, options);
    this.code = code;
    this.kind = kinds[code];
    this.retryable = this.kind === "unavailable" || this.kind === "limited";
    if (options?.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
    Object.defineProperty(this, brand, { value: true });
  }

  /** Holds across duplicate copies of this package, where `instanceof` does not. */
  static is(error: unknown): error is MemoryError {
    return typeof error === "object" && error !== null && brand in error;
  }
}
