import type { ProblemBody } from "../agents/schemas.ts";

/** What the gateway refused, in its own words. */
export class AgentClientError extends Error implements ProblemBody {
  override readonly name = "AgentClientError" as const;
  readonly status: number;
  readonly code: string;
  readonly kind: string;
  readonly detail: string;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;

  constructor({ status, code, kind, detail, retryable }: ProblemBody, retryAfterMs?: number) {
    super(detail);
    this.status = status;
    this.code = code;
    this.kind = kind;
    this.detail = detail;
    this.retryable = retryable;
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs;
  }
}

export async function refused(response: Response): Promise<AgentClientError> {
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  const body = (await response.json().catch(() => undefined)) as Partial<ProblemBody> | undefined;
  const { code = "UNKNOWN", kind = "internal", detail = `HTTP ${response.status}`, retryable = false } = body ?? {};
  const problem = { status: response.status, code, kind, detail, retryable };
  return new AgentClientError(problem, Number.isFinite(seconds) ? seconds * 1000 : undefined);
}
