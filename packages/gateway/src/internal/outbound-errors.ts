import { GatewayError } from "../errors.ts";

const LATE = ["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT", "UND_ERR_CONNECT_TIMEOUT"];

/** A failure on the way as the caller may know it: the origin and what happened, never what was sent. */
export function explain(error: unknown, origin: string, signal?: AbortSignal): unknown {
  if (GatewayError.is(error)) return error;
  if (signal?.aborted || (error as Error | undefined)?.name === "AbortError") {
    return new GatewayError("GATEWAY_CANCELLED", `The call to ${origin} was cancelled.`);
  }
  const { code } = Object(error) as { readonly code?: string };
  if (code !== undefined && LATE.includes(code)) {
    return new GatewayError("GATEWAY_TARGET_UNAVAILABLE", `${origin} did not answer in time.`);
  }
  return new GatewayError(
    "GATEWAY_TARGET_UNAVAILABLE",
    `${origin} could not be reached${code === undefined ? "" : ` (${code})`}.`,
  );
}

export const denied = (host: string): GatewayError =>
  new GatewayError(
    "GATEWAY_DENIED",
    `${host} is, or resolves to, an address that is not public. If that is meant, name it in \`allow\`.`,
  );

export const tooLarge = (origin: string, maxBytes: number): GatewayError =>
  new GatewayError("GATEWAY_OUTPUT_TOO_LARGE", `The answer of ${origin} is over the cap of ${maxBytes} bytes.`);

export const unreadable = (): GatewayError =>
  new GatewayError("GATEWAY_TARGET_FAILED", "The target answered in an encoding that was not asked for.");
