import type { ErrorKind, KindedError } from "./dialect.ts";

const brand: unique symbol = Symbol.for("@ashlar/gateway:GatewayError") as never;

export type GatewayErrorCode =
  | "GATEWAY_INVALID"
  | "GATEWAY_TOO_LARGE"
  | "GATEWAY_UNAUTHENTICATED"
  | "GATEWAY_DENIED"
  | "GATEWAY_APPROVAL_NEEDED"
  | "GATEWAY_SCOPE_NEEDED"
  | "GATEWAY_NOT_FOUND"
  | "GATEWAY_CONFLICT"
  | "GATEWAY_RATE_LIMITED"
  | "GATEWAY_OUTPUT_TOO_LARGE"
  | "GATEWAY_TARGET_FAILED"
  | "GATEWAY_TARGET_UNAVAILABLE"
  | "GATEWAY_BACKEND_FAILED"
  | "GATEWAY_DRAINING"
  | "GATEWAY_CANCELLED";

/** How a neighbour may react to each code. */
const kinds: Readonly<Record<GatewayErrorCode, ErrorKind>> = {
  GATEWAY_INVALID: "invalid",
  GATEWAY_TOO_LARGE: "invalid",
  GATEWAY_UNAUTHENTICATED: "unauthenticated",
  GATEWAY_DENIED: "denied",
  GATEWAY_APPROVAL_NEEDED: "denied",
  GATEWAY_SCOPE_NEEDED: "denied",
  GATEWAY_NOT_FOUND: "not_found",
  GATEWAY_CONFLICT: "conflict",
  GATEWAY_RATE_LIMITED: "limited",
  GATEWAY_OUTPUT_TOO_LARGE: "internal",
  GATEWAY_TARGET_FAILED: "internal",
  GATEWAY_TARGET_UNAVAILABLE: "unavailable",
  GATEWAY_BACKEND_FAILED: "unavailable",
  GATEWAY_DRAINING: "unavailable",
  GATEWAY_CANCELLED: "cancelled",
};

/** The one error class of this package: `switch (error.code)` is exhaustive. */
export class GatewayError extends Error implements KindedError {
  override readonly name = "GatewayError" as const;
  readonly code: GatewayErrorCode;
  readonly kind: ErrorKind;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;

  constructor(code: GatewayErrorCode, message: string, options?: ErrorOptions & { readonly retryAfterMs?: number }) {
    super(message, options);
    this.code = code;
    this.kind = kinds[code];
    this.retryable = this.kind === "unavailable" || this.kind === "limited";
    if (options?.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
    Object.defineProperty(this, brand, { value: true });
  }

  /** Holds across duplicate copies of this package, where `instanceof` does not. */
  static is(error: unknown): error is GatewayError {
    return typeof error === "object" && error !== null && brand in error;
  }
}
