import type { Clock } from "./dialect.ts";
import { GatewayError } from "./errors.ts";
import type { Target } from "./target.ts";

export interface TargetHealth {
  readonly target: string;
  /** `unknown` until the first call ends; `failing` from a call that did not reach it until one does. */
  readonly state: "unknown" | "healthy" | "failing";
  /** Calls in a row that did not reach it. */
  readonly failures: number;
  readonly lastFailedAt?: number;
}

interface Seen {
  failures: number;
  lastFailedAt?: number;
}

/** What calls tell of the targets that they go to. A call that a target answers with a refusal has reached it. */
export class TargetHealths {
  readonly #clock: Clock;
  readonly #seen = new WeakMap<Target, Seen>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(target: Target): TargetHealth {
    const { name } = target;
    const seen = this.#seen.get(target);
    if (seen === undefined) return { target: name, state: "unknown", failures: 0 };
    return { target: name, state: seen.failures === 0 ? "healthy" : "failing", ...seen };
  }

  /** Runs the part of a call that is the target's own. */
  async watch<T>(target: Target, body: () => Promise<T>): Promise<T> {
    try {
      const result = await body();
      this.#of(target).failures = 0;
      return result;
    } catch (error) {
      if (GatewayError.is(error) && error.code === "GATEWAY_TARGET_UNAVAILABLE") {
        const seen = this.#of(target);
        seen.failures += 1;
        seen.lastFailedAt = this.#clock.now();
      } else if (GatewayError.is(error) && error.code === "GATEWAY_TARGET_FAILED") this.#of(target).failures = 0;
      throw error;
    }
  }

  #of(target: Target): Seen {
    let seen = this.#seen.get(target);
    if (seen === undefined) {
      seen = { failures: 0 };
      this.#seen.set(target, seen);
    }
    return seen;
  }
}
