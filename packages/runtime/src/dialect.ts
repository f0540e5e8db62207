import { getRandomValues } from "node:crypto";

/** Now in epoch milliseconds; `sleep` rejects with the signal's reason when aborted. */
export interface Clock {
  now(): number;
  sleep(ms: number, options?: { readonly signal?: AbortSignal }): Promise<void>;
}

/** Identifiers that sort by creation time: `ses_0197f3…`. */
export interface IdSource {
  next(prefix: string): string;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Pass back to get the next page; absent on the last one. Opaque. */
  readonly cursor?: string;
}

/** On whose behalf a call is made. Built by whoever authenticated the caller, never from a payload. */
export interface Principal {
  readonly tenant: string;
  readonly agent?: string;
  readonly agentVersion?: string;
  readonly session?: string;
  readonly user?: string;
}

/** First argument of every call that crosses a joint. */
export interface CallContext {
  readonly principal: Principal;
  readonly signal?: AbortSignal;
  readonly idempotencyKey?: string;
}

/** Removes what must not be kept or shown. `stream` also catches a match split over chunks. */
export interface Redactor {
  redact<T>(value: T): T;
  stream(): TransformStream<Uint8Array, Uint8Array>;
}

/** How a neighbour may react to an error without knowing its class. */
export type ErrorKind =
  | "invalid"
  | "unauthenticated"
  | "denied"
  | "not_found"
  | "conflict"
  | "limited"
  | "unavailable"
  | "cancelled"
  | "internal";

export interface KindedError extends Error {
  readonly code: string;
  readonly kind: ErrorKind;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type Metadata = { readonly [key: string]: string | number | boolean };

/** The longest wait one timer can hold; longer sleeps are taken in turns. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, { signal } = {}) {
    for (let left = ms; ; left -= LONGEST_TIMER_MS) {
      signal?.throwIfAborted();
      await timer(Math.max(0, Math.min(left, LONGEST_TIMER_MS)), signal);
      if (left <= LONGEST_TIMER_MS) return;
    }
  },
};

function timer(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = () => {
      clearTimeout(handle);
      reject(signal?.reason);
    };
    const handle = setTimeout(() => {
      signal?.removeEventListener("abort", aborted);
      resolve();
    }, ms);
    signal?.addEventListener("abort", aborted, { once: true });
  });
}

/** UUID v7 (RFC 9562) as 32 hexadecimal digits; rises strictly within a process, also when the clock steps back. */
export function uuidSource(clock: Clock = systemClock): IdSource {
  let lastMs = 0;
  let sequence = 0;
  /** Asked for in bulk: each question to the system costs more than an id does. */
  const pool = new Uint8Array(2_048);
  let used = pool.length;
  return {
    next(prefix) {
      const now = clock.now();
      if (now > lastMs) {
        lastMs = now;
        sequence = 0;
      } else if (++sequence > 0xfff) {
        lastMs += 1;
        sequence = 0;
      }
      if (used === pool.length) {
        getRandomValues(pool);
        used = 0;
      }
      used += 8;
      const random = pool.subarray(used - 8, used);
      random[0] = 0x80 | ((random[0] ?? 0) & 0x3f);
      const time = lastMs.toString(16).padStart(12, "0");
      return `${prefix}_${time}7${sequence.toString(16).padStart(3, "0")}${Buffer.from(random).toString("hex")}`;
    },
  };
}

export const systemIds: IdSource = uuidSource();
