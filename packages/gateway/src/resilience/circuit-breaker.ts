import type { Clock } from "../dialect.ts";

export interface BreakerOptions {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** How long it stays open before one call may try. */
  readonly openMs: number;
}

/** Closed, then open after failures in a row, then half open: one call tries, and its end decides. */
export class CircuitBreaker {
  readonly #options: BreakerOptions;
  readonly #clock: Clock;
  #failures = 0;
  #openUntil: number | undefined;
  #trying = false;

  constructor(options: BreakerOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Milliseconds until a call may try; 0 takes the place of that call, whose end must be told. */
  enter(): number {
    if (this.#openUntil === undefined) return 0;
    const left = this.#openUntil - this.#clock.now();
    if (left > 0) return left;
    if (this.#trying) return this.#options.openMs;
    this.#trying = true;
    return 0;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#openUntil = undefined;
    this.#trying = false;
  }

  failed(): void {
    this.#failures += 1;
    if (this.#trying || this.#failures >= this.#options.failures) {
      this.#openUntil = this.#clock.now() + this.#options.openMs;
    }
    this.#trying = false;
  }

  /** The call ended without saying anything of the target's health. */
  left(): void {
    this.#trying = false;
  }
}
