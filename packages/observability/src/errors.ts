import type { ErrorKind, KindedError } from "./dialect.ts";

const brand: unique symbol = Symbol.for("@ashlar/observability:ObservabilityError") as never;

export type ObservabilityErrorCode =
  | "OBSERVABILITY_INVALID"
  | "OBSERVABILITY_DENIED"
  | "OBSERVABILITY_NOT_FOUND"
  | "OBSERVABILITY_TOO_LARGE"
  | "OBSERVABILITY_STORE_CLOSED"
  | "OBSERVABILITY_SCHEMA_NEWER"
  | "OBSERVABILITY_BACKEND_FAILED";

/** How a neighbour may react to each code. */
const kinds: Readonly<Record<ObservabilityErrorCode, ErrorKind>> = {
  OBSERVABILITY_INVALID: "invalid",
  OBSERVABILITY_DENIED: "denied",
  OBSERVABILITY_NOT_FOUND: "not_found",
  OBSERVABILITY_TOO_LARGE: "invalid",
  OBSERVABILITY_STORE_CLOSED: "conflict",
  OBSERVABILITY_SCHEMA_NEWER: "conflict",
  OBSERVABILITY_BACKEND_FAILED: "unavailable",
};

/** The one error class of this package: `switch (error.code)` is exhaustive. */
export class ObservabilityError extends Error implements KindedError {
  override readonly name = "ObservabilityError" as const;
  readonly code: ObservabilityErrorCode;
  readonly kind: ErrorKind;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;

  constructor(
    code: ObservabilityErrorCode,
    message: string,
    options?: ErrorOptions & { readonly retryAfterMs?: number },
  ) {
    super(message, options);
    this.code = code;
    this.kind = kinds[code];
    this.retryable = this.kind === "unavailable" || this.kind === "limited";
    if (options?.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
    Object.defineProperty(this, brand, { value: true });
  }

  /** Holds across duplicate copies of this package, where `instanceof` does not. */
  static is(error: unknown): error is ObservabilityError {
    return typeof error === "object" && error !== null && brand in error;
  }
}
