import type { Clock, IdSource } from "../dialect.ts";

interface Sleeper {
  readonly at: number;
  wake(): void;
}

/** A clock that moves only when told: tests advance it instead of waiting. */
export class ManualClock implements Clock {
  #now: number;
  #sleepers: Sleeper[] = [];

  constructor(now: number = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  /** How many sleeps are under way. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  sleep(ms: number, { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const aborted = () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(signal?.reason);
      };
      const sleeper: Sleeper = {
        at: this.#now + ms,
        wake() {
          signal?.removeEventListener("abort", aborted);
          resolve();
        },
      };
      signal?.addEventListener("abort", aborted, { once: true });
      this.#sleepers.push(sleeper);
    });
  }

  /** Moves time on, wakes what is due in order of its deadline, and lets the woken run before the next. */
  async advance(ms: number): Promise<void> {
    const target = this.#now + ms;
    for (;;) {
      const next = this.#sleepers.filter(({ at }) => at <= target).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#now = Math.max(this.#now, next.at);
      this.#sleepers = this.#sleepers.filter((other) => other !== next);
      next.wake();
      await settle();
    }
    this.#now = target;
    await settle();
  }

  /** Sets the time without waking anyone: a clock that jumps, also backwards. */
  jump(to: number): void {
    this.#now = to;
  }
}

/** `mem_000001`, `mem_000002`, …: ids that a test can foresee and that sort by creation. */
export class SequentialIds implements IdSource {
  #count = 0;

  next(prefix: string): string {
    this.#count += 1;
    return `${prefix}_${String(this.#count).padStart(6, "0")}`;
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
