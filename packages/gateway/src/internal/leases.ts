/** Counts calls under way on each object, so that it can be closed when the last has ended. */
export class Leases<T extends object> {
  readonly #counts = new WeakMap<T, number>();
  readonly #idle = new WeakMap<T, () => void>();

  async hold<R>(held: T, body: () => Promise<R>): Promise<R> {
    this.#counts.set(held, (this.#counts.get(held) ?? 0) + 1);
    try {
      return await body();
    } finally {
      const left = (this.#counts.get(held) ?? 1) - 1;
      this.#counts.set(held, left);
      if (left === 0) this.#idle.get(held)?.();
    }
  }

  /** Resolves when no call is under way, or when the signal aborts. */
  async idle(held: T, signal?: AbortSignal): Promise<void> {
    if ((this.#counts.get(held) ?? 0) === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle.set(held, resolve);
      if (signal?.aborted) resolve();
      signal?.addEventListener("abort", () => resolve(), { once: true });
    });
  }
}
