import type { ErrorKind, KindedError } from "./dialect.ts";

const brand: unique symbol = Symbol.for("@ashlar/identity:IdentityError") as never;

export type IdentityErrorCode =
  | "IDENTITY_INVALID"
  | "IDENTITY_CONFLICT"
  | "IDENTITY_REFERENCE_UNKNOWN"
  | "IDENTITY_REFERENCE_DENIED"
  | "IDENTITY_CONSENT_REQUIRED"
  | "IDENTITY_FLOW_REFUSED"
  | "IDENTITY_GRANT_REFUSED"
  | "IDENTITY_TOKEN_INVALID"
  | "IDENTITY_ISSUER_UNAVAILABLE"
  | "IDENTITY_KEY_MISSING"
  | "IDENTITY_KEY_MISMATCH"
  | "IDENTITY_KEY_UNAVAILABLE"
  | "IDENTITY_CIPHERTEXT_REFUSED"
  | "IDENTITY_BACKEND_FAILED"
  | "IDENTITY_CLOSED";

/** How a neighbour may react to each code. */
const kinds: Readonly<Record<IdentityErrorCode, ErrorKind>> = {
  IDENTITY_INVALID: "invalid",
  IDENTITY_CONFLICT: "conflict",
  IDENTITY_REFERENCE_UNKNOWN: "not_found",
  IDENTITY_REFERENCE_DENIED: "denied",
  IDENTITY_CONSENT_REQUIRED: "denied",
  IDENTITY_FLOW_REFUSED: "denied",
  IDENTITY_GRANT_REFUSED: "denied",
  IDENTITY_TOKEN_INVALID: "unauthenticated",
  IDENTITY_ISSUER_UNAVAILABLE: "unavailable",
  IDENTITY_KEY_MISSING: "invalid",
  IDENTITY_KEY_MISMATCH: "internal",
  IDENTITY_KEY_UNAVAILABLE: "unavailable",
  IDENTITY_CIPHERTEXT_REFUSED: "internal",
  IDENTITY_BACKEND_FAILED: "unavailable",
  IDENTITY_CLOSED: "internal",
};

/** The one error class of this package: `switch (error.code)` is exhaustive. No message or cause carries a secret. */
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
