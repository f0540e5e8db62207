import type { ErrorKind, KindedError } from "./dialect.ts";

const brand: unique symbol = Symbol.for("@ashlar/identity:IdentityError") as never;

export type IdentityErrorCode = "IDENTITY_INVALID" | "IDENTITY_BACKEND_FAILED";

/** How a neighbour may react to each code. */
const kinds: Readonly<Record<IdentityErrorCode, ErrorKind>> = {
  IDENTITY_INVALID: "invalid",
  IDENTITY_BACKEND_FAILED: "unavailable",
};

/** The one error class of this package: `switch (error.code)` is exhaustive. */
export class IdentityError extends Error implements KindedError {
  override readonly name = "IdentityError" as const;
  readonly code: IdentityErrorCode;
  readonly kind: ErrorKind;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;

  constructor(code: IdentityErrorCode, message: string, options?: ErrorOptions & { readonly retryAfterMs?: number }) {
    super(message, options);
    this.code = code;
    this.kind = kinds[code];
    this.retryable = this.kind === "unavailable" || this.kind === "limited";
    if (options?.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
    Object.defineProperty(this, brand, { value: true });
  }

  /** Holds across duplicate copies of this package, where `instanceof` does not. */
  static is(error: unknown): error is IdentityError {
    return typeof error === "object" && error !== null && brand in error;
  }
}
