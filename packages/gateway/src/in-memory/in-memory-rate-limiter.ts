import { type Clock, systemClock } from "../dialect.ts";
import { gcra } from "../limits/gcra.ts";
import type { Quota, RateDecision, RateLimiter } from "../rate-limiter.ts";

const SWEEP_EVERY = 4096;

/** Counts in this process: right for one process, too generous for several. */
export class InMemoryRateLimiter implements RateLimiter {
  readonly #clock: Clock;
  readonly #theoreticalAt = new Map<string, number>();
  #takes = 0;

  constructor({ clock = systemClock }: { readonly clock?: Clock } = {}) {
    this.#clock = clock;
  }

  async take(key: string, quota: Quota, cost = 1): Promise<RateDecision> {
    const now = this.#clock.now();
    if (++this.#takes % SWEEP_EVERY === 0) this.#sweep(now);
    const { decision, theoreticalAt } = gcra(this.#theoreticalAt.get(key), now, quota, cost);
    this.#theoreticalAt.set(key, theoreticalAt);
    return decision;
  }

  async charge(key: string, quota: Quota, cost: number): Promise<void> {
    this.#theoreticalAt.set(
      key,
      gcra(this.#theoreticalAt.get(key), this.#clock.now(), quota, cost, true).theoreticalAt,
    );
  }

  /** Full buckets need no entry: a flood of made-up keys does not stay in memory. */
  #sweep(now: number): void {
    for (const [key, at] of this.#theoreticalAt) if (at <= now) this.#theoreticalAt.delete(key);
  }
}
