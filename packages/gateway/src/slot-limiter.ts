/** A place that was taken until it is released. */
export interface Slot {
  /** A second time does nothing. */
  release(): Promise<void>;
}

/** Counts what is open at one time, per key. What a process held that died comes back by itself after a while. */
export interface SlotLimiter {
  /** `undefined` while `max` are taken. */
  acquire(key: string, max: number): Promise<Slot | undefined>;
}
