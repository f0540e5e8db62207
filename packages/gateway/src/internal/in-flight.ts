import type { Answer } from "../answer.ts";
import type { Clock } from "../dialect.ts";
import { GatewayError } from "../errors.ts";
import type { Slot } from "../slot-limiter.ts";

/** An answer, and what goes on as long as its stream does. */
export interface Going {
  readonly answer: Answer;
  readonly endsAt?: number | undefined;
  readonly slots?: readonly Slot[];
}

/** Counts calls until their last byte has been read, so that a server can end without cutting one. */
export class InFlight {
  readonly #clock: Clock;
  readonly #ending = new AbortController();
  readonly #leaving = new AbortController();
  #calls = 0;
  #draining = false;
  #idle: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Aborted when draining begins. */
  get leaving(): AbortSignal {
    return this.#leaving.signal;
  }

  /** Throws once draining began. */
  admit(): void {
    if (!this.#draining) return;
    throw new GatewayError("GATEWAY_DRAINING", "The gateway is shutting down.", { retryAfterMs: 1000 });
  }

  /** For what is no answer, until `body` ends. */
  async hold(body: () => Promise<void>): Promise<void> {
    this.#calls += 1;
    try {
      await body();
    } finally {
      this.#leave();
    }
  }

  /** A stream that the answer holds ends with its source, its reader, `endsAt` or the drain's patience. */
  async run(body: () => Promise<Going>): Promise<Answer> {
    this.admit();
    this.#calls += 1;
    try {
      const { answer, endsAt, slots = [] } = await body();
      if (answer.body instanceof ReadableStream) {
        const followed = { ...answer, body: this.#followed(answer.body, endsAt, slots) };
        this.#calls += 1;
        return followed;
      }
      free(slots);
      return answer;
    } finally {
      this.#leave();
    }
  }

  async drain({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#draining = true;
    this.#leaving.abort();
    if (this.#calls === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
      signal?.addEventListener("abort", () => resolve(), { once: true });
      if (signal?.aborted) resolve();
    });
    this.#ending.abort();
  }

  #leave(): void {
    this.#calls -= 1;
    if (this.#calls === 0) this.#idle?.();
  }

  #followed(
    source: ReadableStream<Uint8Array>,
    endsAt: number | undefined,
    slots: readonly Slot[],
  ): ReadableStream<Uint8Array> {
    const reader = source.getReader();
    const ending = this.#ending.signal;
    const over = new AbortController();
    const leave = () => {
      if (over.signal.aborted) return;
      over.abort();
      free(slots);
      ending.removeEventListener("abort", cut);
      this.#leave();
    };
    const cut = () => void reader.cancel().catch(() => {});
    ending.addEventListener("abort", cut, { once: true });
    if (endsAt !== undefined) {
      const left = Math.max(0, endsAt - this.#clock.now());
      this.#clock.sleep(left, { signal: over.signal }).then(cut, () => {});
    }
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          try {
            const { done, value } = await reader.read();
            if (!done) return controller.enqueue(value);
            leave();
            controller.close();
          } catch (error) {
            leave();
            controller.error(error);
          }
        },
        async cancel(reason) {
          leave();
          await reader.cancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
  }
}

/** A slot that cannot be given back now lapses. */
function free(slots: readonly Slot[]): void {
  for (const slot of slots) slot.release().catch(() => {});
}
