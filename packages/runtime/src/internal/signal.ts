/** Wakes everyone who waits, at once; a raise that nobody waits for is remembered for the next. */
export class Signal {
  #raised = false;
  readonly #waiting = new Set<() => void>();

  raise(): void {
    if (this.#waiting.size === 0) this.#raised = true;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  wait(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#raised) {
      this.#raised = false;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const wake = () => {
        signal.removeEventListener("abort", aborted);
        resolve();
      };
      const aborted = () => {
        this.#waiting.delete(wake);
        reject(signal.reason);
      };
      this.#waiting.add(wake);
      signal.addEventListener("abort", aborted, { once: true });
    });
  }
}
