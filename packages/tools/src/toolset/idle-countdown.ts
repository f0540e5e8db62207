import type { Clock } from "../dialect.ts";

/** Calls `idle` when nothing has been under way for `ms`. */
export class IdleCountdown {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #idle: () => void;
  #underWay = 0;
  #waiting: AbortController | undefined;

  constructor({ clock, ms, idle }: { readonly clock: Clock; readonly ms: number; readonly idle: () => void }) {
    this.#clock = clock;
    this.#ms = ms;
    this.#idle = idle;
  }

  async during<T>(body: () => Promise<T>): Promise<T> {
    this.stop();
    this.#underWay++;
    try {
      return await body();
    } finally {
      if (--this.#underWay === 0) this.start();
    }
  }

  start(): void {
    if (!Number.isFinite(this.#ms)) return;
    const waiting = new AbortController();
    this.#waiting = waiting;
    this.#clock.sleep(this.#ms, { signal: waiting.signal }).then(
      () => {
        if (!waiting.signal.aborted) this.#idle();
      },
      () => {},
    );
  }

  stop(): void {
    this.#waiting?.abort();
    this.#waiting = undefined;
  }
}
