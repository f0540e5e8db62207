import type { Slot, SlotLimiter } from "../slot-limiter.ts";

/** Counts in this process: right for one process, too generous for several. */
export class InMemorySlotLimiter implements SlotLimiter {
  readonly #taken = new Map<string, number>();

  async acquire(key: string, max: number): Promise<Slot | undefined> {
    const taken = this.#taken.get(key) ?? 0;
    if (taken >= max) return undefined;
    this.#taken.set(key, taken + 1);
    let held = true;
    return {
      release: async () => {
        if (held) this.#leave(key);
        held = false;
      },
    };
  }

  #leave(key: string): void {
    const left = (this.#taken.get(key) ?? 1) - 1;
    if (left === 0) this.#taken.delete(key);
    else this.#taken.set(key, left);
  }
}
