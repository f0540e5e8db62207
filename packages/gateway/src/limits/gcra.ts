import type { Quota, RateDecision } from "../rate-limiter.ts";

/** Above what doubles lose at the size of an epoch time, far below any interval that matters. */
const ROUNDING_MS = 0.01;

/**
 * One step of the generic cell rate algorithm (ITU-T I.371). `theoreticalAt` is the instant, in milliseconds, at which
 * a bucket would be full again; a stored value in the past means it is.
 */
export function gcra(
  theoreticalAt: number | undefined,
  now: number,
  { limit, windowMs, burst = limit }: Quota,
  cost: number,
  forced = false,
): { readonly decision: RateDecision; readonly theoreticalAt: number } {
  const interval = windowMs / limit;
  const tolerance = interval * burst;
  const from = Math.max(theoreticalAt ?? now, now);
  const next = from + interval * cost;
  const allowed = next - now <= tolerance + ROUNDING_MS;
  const kept = allowed || forced ? next : from;
  return {
    theoreticalAt: kept,
    decision: {
      allowed,
      remaining: Math.max(0, Math.floor((tolerance + ROUNDING_MS - (kept - now)) / interval)),
      resetMs: Math.ceil(kept - now),
      retryAfterMs: allowed ? 0 : cost > burst ? windowMs : Math.ceil(next - now - tolerance),
    },
  };
}
