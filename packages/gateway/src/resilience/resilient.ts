import type { CallContext, Clock } from "../dialect.ts";
import { GatewayError } from "../errors.ts";
import type { Target, TargetFactory } from "../target.ts";
import { type BreakerOptions, CircuitBreaker } from "./circuit-breaker.ts";

export interface RetryOptions {
  /** Of one call, the first included. */
  readonly attempts: number;
  /** Doubled with each attempt, of which a random part is waited. Default 100. */
  readonly baseMs?: number;
  /** A target that asks for more patience than this is not tried again. Default 5,000. */
  readonly maxDelayMs?: number;
  /** Retries earned by each call; at most 10 are saved. So an outage is not answered with a storm. Default 0.2. */
  readonly budgetRatio?: number;
}

export interface ResilienceOptions {
  /** Of one attempt; of a message that passes through, until its answer begins. */
  readonly timeoutMs?: number;
  readonly retry?: RetryOptions;
  readonly breaker?: BreakerOptions;
  /** Tools that change nothing, and so may be repeated without an idempotency key. */
  readonly readOnly?: readonly string[];
  /** From 0 to 1. Default `Math.random`. */
  readonly random?: () => number;
}

const MAX_SAVED = 10;

/**
 * A target that is given up in time, tried again where that is safe, and left alone while it is down. Only what is
 * retryable is repeated, and a call only with an idempotency key or when its tool is `readOnly`.
 */
export const resilient =
  (target: Target | TargetFactory, options: ResilienceOptions): TargetFactory =>
  (parts) => {
    const made = typeof target === "function" ? target(parts) : target;
    const guard = new Guard(made.name, options, parts.clock);
    const { readOnly = [] } = options;
    return {
      name: made.name,
      list: (context) => guard.run(context, true, (inner) => made.list(inner)),
      call: (context, name, args) =>
        guard.run(context, context.idempotencyKey !== undefined || readOnly.includes(name), (inner) =>
          made.call(inner, name, args),
        ),
      ...(made.forward === undefined
        ? {}
        : {
            forward: (context, message) =>
              guard.run(context, false, (inner) => made.forward?.(inner, message) ?? Promise.reject(gone(made.name))),
          }),
      close: async () => made.close?.(),
    };
  };

class Guard {
  readonly #name: string;
  readonly #options: ResilienceOptions;
  readonly #clock: Clock;
  readonly #breaker: CircuitBreaker | undefined;
  #saved = MAX_SAVED;

  constructor(name: string, options: ResilienceOptions, clock: Clock) {
    this.#name = name;
    this.#options = options;
    this.#clock = clock;
    this.#breaker = options.breaker === undefined ? undefined : new CircuitBreaker(options.breaker, clock);
  }

  async run<T>(context: CallContext, repeatable: boolean, body: (context: CallContext) => Promise<T>): Promise<T> {
    const { attempts = 1, budgetRatio = 0.2 } = this.#options.retry ?? {};
    this.#saved = Math.min(MAX_SAVED, this.#saved + budgetRatio);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(context, body);
      } catch (error) {
        const delay = this.#delay(error, attempt);
        if (!repeatable || attempt >= attempts || delay === undefined || this.#saved < 1) throw error;
        this.#saved -= 1;
        if (delay > 0) await this.#clock.sleep(delay, context.signal === undefined ? {} : { signal: context.signal });
      }
    }
  }

  async #attempt<T>(context: CallContext, body: (context: CallContext) => Promise<T>): Promise<T> {
    const wait = this.#breaker?.enter() ?? 0;
    if (wait > 0) {
      throw new GatewayError("GATEWAY_TARGET_UNAVAILABLE", `Target ${this.#name} is left alone after failures.`, {
        retryAfterMs: wait,
      });
    }
    try {
      const result = await this.#timed(context, body);
      this.#breaker?.succeeded();
      return result;
    } catch (error) {
      if (unavailable(error)) this.#breaker?.failed();
      else this.#breaker?.left();
      throw error;
    }
  }

  async #timed<T>(context: CallContext, body: (context: CallContext) => Promise<T>): Promise<T> {
    const { timeoutMs } = this.#options;
    if (timeoutMs === undefined) return body(context);
    const late = new AbortController();
    const done = new AbortController();
    const signal = context.signal === undefined ? late.signal : AbortSignal.any([context.signal, late.signal]);
    const timeout = this.#clock.sleep(timeoutMs, { signal: done.signal }).then(
      () => {
        const error = new GatewayError(
          "GATEWAY_TARGET_UNAVAILABLE",
          `Target ${this.#name} did not answer within ${timeoutMs} ms.`,
        );
        late.abort(error);
        throw error;
      },
      () => new Promise<never>(() => {}),
    );
    try {
      return await Promise.race([body({ ...context, signal }), timeout]);
    } finally {
      done.abort();
    }
  }

  #delay(error: unknown, attempt: number): number | undefined {
    const { baseMs = 100, maxDelayMs = 5000 } = this.#options.retry ?? {};
    if (!unavailable(error)) return undefined;
    const asked = error.retryAfterMs ?? 0;
    const random = (this.#options.random ?? Math.random)();
    const delay = Math.max(asked, Math.min(maxDelayMs, baseMs * 2 ** (attempt - 1)) * random);
    return delay > maxDelayMs ? undefined : delay;
  }
}

const unavailable = (error: unknown): error is GatewayError =>
  GatewayError.is(error) && error.code === "GATEWAY_TARGET_UNAVAILABLE";

const gone = (name: string): GatewayError =>
  new GatewayError("GATEWAY_TARGET_FAILED", `Target ${name} speaks MCP no more.`);
