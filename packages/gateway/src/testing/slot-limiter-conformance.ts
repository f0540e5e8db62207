import assert from "node:assert/strict";
import type { SlotLimiter } from "../slot-limiter.ts";
import type { TestFunction } from "./suite.ts";

export interface SlotLimiterConformanceOptions {
  readonly test: TestFunction;
  createLimiter(): Promise<SlotLimiter> | SlotLimiter;
}

/** The law of `SlotLimiter`. */
export function slotLimiterConformance({ test, createLimiter }: SlotLimiterConformanceOptions): void {
  const law = (name: string, body: (limiter: SlotLimiter) => Promise<void>) =>
    test(`SlotLimiter: ${name}`, async () => body(await createLimiter()));

  law("of many at once exactly `max` get one, and a released one is there again, once", async (limiter) => {
    const all = await Promise.all(Array.from({ length: 20 }, () => limiter.acquire("k", 3)));
    const slots = all.filter((slot) => slot !== undefined);
    assert.equal(slots.length, 3);
    await slots[0]?.release();
    await slots[0]?.release();
    assert.ok((await limiter.acquire("k", 3)) !== undefined);
    assert.equal(await limiter.acquire("k", 3), undefined);
    for (const slot of slots) await slot.release();
  });

  law("keys do not share", async (limiter) => {
    const a = await limiter.acquire("a", 1);
    const b = await limiter.acquire("b", 1);
    assert.ok(a !== undefined && b !== undefined);
    await Promise.all([a.release(), b.release()]);
  });
}
