import type { Quota, RateDecision, RateLimiter } from "../rate-limiter.ts";
import { guarded } from "./guarded.ts";
import type { RedisClient } from "./redis-client.ts";

/**
 * One step of the generic cell rate algorithm as one atomic script, by the server's own clock: processes whose clocks
 * differ count alike. Times are microseconds, below 2^53. The key lives as long as its bucket is not full.
 */
const SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval = tonumber(ARGV[1])
local tolerance = tonumber(ARGV[2])
local cost = tonumber(ARGV[3])
local from = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local next = from + interval * cost
local allowed = next - now <= tolerance
local kept = from
if allowed or ARGV[4] == 'forced' then
  kept = next
  redis.call('SET', KEYS[1], string.format('%.0f', kept), 'PX', math.ceil((kept - now) / 1000) + 1)
end
local wait = 0
if not allowed then wait = next - now - tolerance end
return { allowed and 1 or 0, math.floor(math.max(0, (tolerance - (kept - now)) / interval + 1e-9)),
  math.ceil((kept - now) / 1000), math.ceil(wait / 1000) }
`;

/** Instants are kept as whole microseconds; what that loses must not cost a call. */
const ROUNDING_MICROSECONDS = 10;

/** Counts for all processes that share a Redis. */
export class RedisRateLimiter implements RateLimiter {
  readonly #client: RedisClient;
  readonly #prefix: string;

  constructor({
    client,
    prefix = "ashlar:gateway:limit:",
  }: { readonly client: RedisClient; readonly prefix?: string }) {
    this.#client = client;
    this.#prefix = prefix;
  }

  async take(key: string, quota: Quota, cost = 1): Promise<RateDecision> {
    const { limit, windowMs, burst = limit } = quota;
    const [allowed, remaining, resetMs, wait] = await this.#step(key, quota, cost, "asked");
    const retryAfterMs = allowed === 1 ? 0 : cost > burst ? windowMs : wait;
    return { allowed: allowed === 1, remaining, resetMs, retryAfterMs };
  }

  async charge(key: string, quota: Quota, cost: number): Promise<void> {
    await this.#step(key, quota, cost, "forced");
  }

  async #step(
    key: string,
    { limit, windowMs, burst = limit }: Quota,
    cost: number,
    how: "asked" | "forced",
  ): Promise<[number, number, number, number]> {
    const interval = (windowMs * 1000) / limit;
    const args = [interval, interval * burst + ROUNDING_MICROSECONDS, cost, how];
    const step = this.#client.eval(SCRIPT, 1, this.#prefix + key, ...args);
    return (await guarded(step, "limiter")) as [number, number, number, number];
  }
}
