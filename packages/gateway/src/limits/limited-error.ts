import { GatewayError } from "../errors.ts";
import type { RateDecision } from "../rate-limiter.ts";
import type { QuotaRule } from "./limit-rule.ts";

/** `RateLimit` and `RateLimit-Policy` of the IETF's draft, by header name. */
export type LimitHeaders = Readonly<Record<string, string>>;

/** A refusal by a limit, with the headers that say when to come back. */
export class LimitedError extends GatewayError {
  readonly headers: LimitHeaders;

  constructor(headers: LimitHeaders, rule: string, retryAfterMs: number) {
    super("GATEWAY_RATE_LIMITED", `The limit ${rule} is reached.`, { retryAfterMs });
    this.headers = headers;
  }
}

export function limitHeaders(
  { name, quota }: QuotaRule,
  { remaining, resetMs, retryAfterMs, allowed }: RateDecision,
): LimitHeaders {
  return {
    "ratelimit-policy": `"${name}";q=${quota.limit};w=${Math.ceil(quota.windowMs / 1000)}`,
    ratelimit: `"${name}";r=${remaining};t=${Math.ceil(resetMs / 1000)}`,
    ...(allowed ? {} : { "retry-after": String(Math.max(1, Math.ceil(retryAfterMs / 1000))) }),
  };
}
