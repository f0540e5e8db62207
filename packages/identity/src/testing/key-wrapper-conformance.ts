import assert from "node:assert/strict";
import type { KeyWrapper } from "../key-wrapper.ts";
import type { TestFunction } from "./suite.ts";

export interface KeyWrapperConformanceOptions {
  readonly test: TestFunction;
  /** Two wrappers with different keys. */
  readonly createWrappers: () => Promise<readonly [KeyWrapper, KeyWrapper]>;
}

/** The law of `KeyWrapper`. */
export function keyWrapperConformance({ test, createWrappers }: KeyWrapperConformanceOptions): void {
  const key = new Uint8Array(32).map((_, at) => at);
  const mismatch = { code: "IDENTITY_KEY_MISMATCH" };

  test("a key opens for the tenant it was wrapped for, and is not in what is kept", async () => {
    const [wrapper] = await createWrappers();
    const wrapped = await wrapper.wrap("a", key);
    assert.deepEqual(new Uint8Array(await wrapper.unwrap("a", wrapped)), key);
    assert.equal(Buffer.from(wrapped).indexOf(key), -1);
    assert.notDeepEqual(await wrapper.wrap("a", key), wrapped);
  });

  test("another tenant, another key or changed bytes are a mismatch", async () => {
    const [wrapper, other] = await createWrappers();
    const wrapped = await wrapper.wrap("a", key);
    await assert.rejects(wrapper.unwrap("b", wrapped), mismatch);
    await assert.rejects(other.unwrap("a", wrapped), mismatch);
    const changed = Uint8Array.from(wrapped, (byte, at) => (at === wrapped.length - 2 ? byte ^ 1 : byte));
    await assert.rejects(wrapper.unwrap("a", changed), mismatch);
    await assert.rejects(wrapper.unwrap("a", wrapped.slice(0, 10)), mismatch);
  });
}
