import type { Quota, RateDecision } from "../rate-limiter.ts";

/**
 * One step of the generic cell rate algorithm (ITU-T I.371). `theoreticalAt` is the instant, in milliseconds, at which
 * a bucket would be full again; a stored value in the past means it is.
 */
export function gcra(
  theoreticalAt: number | undefined,
  now: number,
  { limit, windowMs, burst = limit }: Quota,
  cost: number,
): { readonly decision: RateDecision; readonly theoreticalAt: number } {
  const interval = windowMs / limit;
  const tolerance = interval * burst;
  const from = Math.max(theoreticalAt ?? now, now);
  const next = from + interval * cost;
  const allowed = next - now <= tolerance;
  const kept = allowed ? next : from;
  return {
    theoreticalAt: kept,
    decision: {
      allowed,
      remaining: Math.max(0, Math.floor((tolerance - (kept - now)) / interval + 1e-9)),
      resetMs: Math.ceil(kept - now),
      retryAfterMs: allowed ? 0 : cost > burst ? windowMs : Math.ceil(next - now - tolerance),
    },
  };
}
