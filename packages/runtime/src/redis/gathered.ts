interface Call<T> {
  readonly item: T;
  resolve(): void;
  reject(error: unknown): void;
}

/** Calls made while others are under way go out together, in order: one answer counts for all of them. */
export class Gathered<T> {
  readonly #send: (items: readonly T[]) => Promise<unknown>;
  #waiting: Call<T>[] = [];

  constructor(send: (items: readonly T[]) => Promise<unknown>) {
    this.#send = send;
  }

  add(item: T): Promise<void> {
    if (this.#waiting.length === 0) setImmediate(() => void this.#flush());
    return new Promise((resolve, reject) => this.#waiting.push({ item, resolve, reject }));
  }

  async #flush(): Promise<void> {
    const calls = this.#waiting;
    this.#waiting = [];
    try {
      await this.#send(calls.map(({ item }) => item));
      for (const { resolve } of calls) resolve();
    } catch (error) {
      for (const { reject } of calls) reject(error);
    }
  }
}
