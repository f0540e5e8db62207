import type { ErrorKind, KindedError } from "./dialect.ts";

const brand: unique symbol = Symbol.for("@ashlar/runtime:RuntimeError") as never;

export type RuntimeErrorCode = "RUNTIME_INVALID" | "RUNTIME_BACKEND_FAILED";

/** How a neighbour may react to each code. */
const kinds: Readonly<Record<RuntimeErrorCode, ErrorKind>> = {
  RUNTIME_INVALID: "invalid",
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
