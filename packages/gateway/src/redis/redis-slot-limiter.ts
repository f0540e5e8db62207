import { type Clock, type IdSource, systemClock, systemIds } from "../dialect.ts";
import type { Slot, SlotLimiter } from "../slot-limiter.ts";
import { guarded } from "./guarded.ts";
import type { RedisClient } from "./redis-client.ts";

/** One member per slot, scored by when it lapses on the server's own clock. Taking and renewing are the same step. */
const HOLD = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local renews = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not renews and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[3]))
return 1
`;
const RELEASE = "return redis.call('ZREM', KEYS[1], ARGV[1])";

/** Counts for all processes that share a Redis. A slot is renewed while its process lives. */
export class RedisSlotLimiter implements SlotLimiter {
  readonly #client: RedisClient;
  readonly #prefix: string;
  readonly #lapseMs: number;
  readonly #clock: Clock;
  readonly #ids: IdSource;

  constructor({
    client,
    prefix = "ashlar:gateway:slots:",
    lapseMs = 30_000,
    clock = systemClock,
    ids = systemIds,
  }: {
    readonly client: RedisClient;
    readonly prefix?: string;
    /** How long a slot outlives a process that died. Default 30 s. */
    readonly lapseMs?: number;
    readonly clock?: Clock;
    readonly ids?: IdSource;
  }) {
    this.#client = client;
    this.#prefix = prefix;
    this.#lapseMs = lapseMs;
    this.#clock = clock;
    this.#ids = ids;
  }

  async acquire(key: string, max: number): Promise<Slot | undefined> {
    const id = this.#ids.next("slt");
    if (!(await this.#hold(key, id, max))) return undefined;
    const over = new AbortController();
    this.#keep(key, id, over.signal).catch(() => {});
    return {
      release: async () => {
        if (over.signal.aborted) return;
        over.abort();
        await guarded(this.#client.eval(RELEASE, 1, this.#prefix + key, id), "limiter");
      },
    };
  }

  async #keep(key: string, id: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#clock.sleep(this.#lapseMs / 3, { signal });
      await this.#hold(key, id, Number.MAX_SAFE_INTEGER).catch(() => {});
    }
  }

  async #hold(key: string, id: string, max: number): Promise<boolean> {
    const held = this.#client.eval(HOLD, 1, this.#prefix + key, id, max, this.#lapseMs);
    return (await guarded(held, "limiter")) === 1;
  }
}
