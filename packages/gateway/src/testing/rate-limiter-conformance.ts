import assert from "node:assert/strict";
import type { RateLimiter } from "../rate-limiter.ts";
import type { TestFunction } from "./suite.ts";

export interface RateLimiterConformanceOptions {
  readonly test: TestFunction;
  createLimiter(): Promise<RateLimiter> | RateLimiter;
}

const HOUR_MS = 3_600_000;

/** The law of `RateLimiter`, at quotas that refill too slowly to matter while a test runs. */
export function rateLimiterConformance({ test, createLimiter }: RateLimiterConformanceOptions): void {
  const law = (name: string, body: (limiter: RateLimiter) => Promise<void>) =>
    test(`RateLimiter: ${name}`, async () => body(await createLimiter()));

  law("allows the burst, then refuses and says when to come back", async (limiter) => {
    const quota = { limit: 10, windowMs: HOUR_MS, burst: 3 };
    const taken = [];
    for (let take = 0; take < 4; take++) taken.push(await limiter.take("k", quota));
    assert.deepEqual(
      taken.map(({ allowed }) => allowed),
      [true, true, true, false],
    );
    assert.deepEqual(
      taken.map(({ remaining }) => remaining),
      [2, 1, 0, 0],
    );
    const wait = taken[3]?.retryAfterMs ?? 0;
    assert.ok(wait > 0.9 * (HOUR_MS / 10) && wait <= HOUR_MS / 10, `retryAfterMs was ${wait}`);
    assert.equal(taken[0]?.retryAfterMs, 0);
  });

  law("keys do not share", async (limiter) => {
    const quota = { limit: 1, windowMs: HOUR_MS };
    assert.equal((await limiter.take("a", quota)).allowed, true);
    assert.equal((await limiter.take("b", quota)).allowed, true);
    assert.equal((await limiter.take("a", quota)).allowed, false);
  });

  law("a cost counts as a whole, and a refused one costs nothing", async (limiter) => {
    const quota = { limit: 5, windowMs: HOUR_MS };
    assert.equal((await limiter.take("k", quota, 4)).allowed, true);
    assert.equal((await limiter.take("k", quota, 2)).allowed, false);
    assert.equal((await limiter.take("k", quota, 1)).allowed, true);
  });

  law("a charge is taken whatever is left, and what was not there is owed", async (limiter) => {
    const quota = { limit: 5, windowMs: HOUR_MS };
    await limiter.charge("k", quota, 8);
    const refused = await limiter.take("k", quota, 0);
    assert.equal(refused.allowed, false);
    const owed = (3 / 5) * HOUR_MS;
    assert.ok(Math.abs(refused.retryAfterMs - owed) < 60_000, `retryAfterMs was ${refused.retryAfterMs}`);
  });

  law("of many at once exactly the burst is allowed", async (limiter) => {
    const quota = { limit: 7, windowMs: HOUR_MS };
    const all = await Promise.all(Array.from({ length: 40 }, () => limiter.take("k", quota)));
    assert.equal(all.filter(({ allowed }) => allowed).length, 7);
  });
}
