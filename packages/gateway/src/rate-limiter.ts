/** At most `limit` units in any `windowMs`, evenly refilled; `burst` (default `limit`) of them at once. */
export interface Quota {
  readonly limit: number;
  readonly windowMs: number;
  readonly burst?: number;
}

export interface RateDecision {
  readonly allowed: boolean;
  /** Whole units left at this moment. */
  readonly remaining: number;
  /** Until the full burst is there again. */
  readonly resetMs: number;
  /** Until this cost would be allowed; 0 when it was. */
  readonly retryAfterMs: number;
}

/** Counts per key by the generic cell rate algorithm: one instant is kept per key. A refused take costs nothing. */
export interface RateLimiter {
  take(key: string, quota: Quota, cost?: number): Promise<RateDecision>;
  /** For a cost that is known only afterwards: takes it whatever is left. What was not there is owed. */
  charge(key: string, quota: Quota, cost: number): Promise<void>;
}
