import type { Answer } from "../answer.ts";
import type { ErrorKind, KindedError } from "../dialect.ts";
import { GatewayError } from "../errors.ts";

const statuses: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  unauthenticated: 401,
  denied: 403,
  not_found: 404,
  conflict: 409,
  limited: 429,
  cancelled: 499,
  internal: 500,
  unavailable: 503,
};

export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly kind: ErrorKind;
  readonly detail: string;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
}

/** What a caller may know of an error. One that is nobody's typed error says nothing: its text may hold anything. */
export function problemOf(error: unknown): Problem {
  if (!isKinded(error)) {
    return {
      status: 500,
      code: "GATEWAY_INTERNAL",
      kind: "internal",
      detail: "The gateway failed at this request.",
      retryable: false,
    };
  }
  const { code, kind, message, retryable, retryAfterMs } = error;
  return {
    status: statusOf(error),
    code,
    kind,
    detail: message,
    retryable,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

/** RFC 9457 problem details. */
export function problemAnswer(problem: Problem, headers: Record<string, string> = {}): Answer {
  const { status, code, kind, detail, retryable, retryAfterMs } = problem;
  return {
    status,
    body: JSON.stringify({ type: "about:blank", title: kind, status, detail, code, kind, retryable }),
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      ...(retryAfterMs === undefined ? {} : { "retry-after": String(Math.ceil(retryAfterMs / 1000)) }),
      ...headers,
    },
  };
}

function statusOf(error: KindedError): number {
  if (GatewayError.is(error)) {
    if (error.code === "GATEWAY_TOO_LARGE") return 413;
    if (error.code === "GATEWAY_TARGET_FAILED" || error.code === "GATEWAY_OUTPUT_TOO_LARGE") return 502;
  }
  return statuses[error.kind];
}

function isKinded(error: unknown): error is KindedError {
  const kind = (error as KindedError | undefined)?.kind;
  return error instanceof Error && typeof kind === "string" && Object.hasOwn(statuses, kind);
}
