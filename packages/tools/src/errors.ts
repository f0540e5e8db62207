import type { ErrorKind, KindedError } from "./dialect.ts";

const brand: unique symbol = Symbol.for("@ashlar/tools:ToolsError") as never;

export type ToolsErrorCode = "TOOLS_INVALID" | "TOOLS_BACKEND_FAILED";

/** How a neighbour may react to each code. */
const kinds: Readonly<Record<ToolsErrorCode, ErrorKind>> = {
  TOOLS_INVALID: "invalid",
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
