import { expect, test } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { type CallContext, GatewayError, InMemoryGatewayStore, type Target, type TargetParts } from "../index.ts";
import { ManualClock } from "../testing/index.ts";
import { idempotent } from "./idempotent.ts";

const ann: CallContext = { principal: { tenant: "acme", user: "ann" } };
const keyed: CallContext = { ...ann, idempotencyKey: "k" };

/** Pays at once and answers when it is told to, or breaks off with its caller. */
function slowBank() {
  const waiting: (() => void)[] = [];
  const state = { paid: 0, answer: () => waiting.shift()?.() };
  const target: Target = {
    name: "bank",
    list: async () => [],
    call: async ({ signal }, name) => {
      if (name === "broken") throw new GatewayError("GATEWAY_TARGET_UNAVAILABLE", "down");
      const receipt = ++state.paid;
      await new Promise<void>((resolve, reject) => {
        waiting.push(resolve);
        signal?.addEventListener("abort", () => reject(signal.reason));
      });
      return { content: [{ type: "text", text: `receipt ${receipt}` }] };
    },
  };
  return { state, target };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

hostile("a caller who loses patience and pays again, at another gateway", {
  control: "the same two calls at the target itself pay twice",
  async unguarded() {
    const { state, target } = slowBank();
    const calls = [target.call(keyed, "pay", {}), target.call(keyed, "pay", {})];
    state.answer();
    state.answer();
    await Promise.all(calls);
    expect(state.paid).toBe(2);
  },
  async guarded() {
    const { state, target } = slowBank();
    const store = new InMemoryGatewayStore();
    const parts = { clock: new ManualClock() } as unknown as TargetParts;
    const [here, there] = [idempotent(target, { store })(parts), idempotent(target, { store })(parts)];
    const lost = new AbortController();
    const first = here.call({ ...keyed, signal: lost.signal }, "pay", {});
    await turn();
    lost.abort();
    await expect(there.call(keyed, "pay", {})).rejects.toMatchObject({ code: "GATEWAY_CONFLICT", retryAfterMs: 1000 });
    const again = here.call(keyed, "pay", {});
    await turn();
    state.answer();
    expect(await again).toEqual(await first);
    expect(await there.call(keyed, "pay", {})).toEqual(await first);
    expect(state.paid).toBe(1);
  },
});

test("another key, another caller and no key are other calls; one key is for one call", async () => {
  const { state, target } = slowBank();
  const made = idempotent(target, { store: new InMemoryGatewayStore() })({
    clock: new ManualClock(),
  } as unknown as TargetParts);
  const bob = { principal: { tenant: "acme", user: "bob" }, idempotencyKey: "k" };
  for (const context of [keyed, { ...keyed, idempotencyKey: "l" }, bob, ann, ann]) {
    const call = made.call(context, "pay", { cents: 1 });
    await turn();
    state.answer();
    await call;
  }
  expect(state.paid).toBe(5);
  await expect(made.call(keyed, "pay", { cents: 2 })).rejects.toMatchObject({ kind: "invalid" });
});

test("a failed call may be made again, and so may one whose gateway died, after the lease", async () => {
  const clock = new ManualClock();
  const store = new InMemoryGatewayStore();
  const { state, target } = slowBank();
  const made = idempotent(target, { store, leaseMs: 1000 })({ clock } as unknown as TargetParts);
  for (let attempt = 0; attempt < 2; attempt++) {
    await expect(made.call(keyed, "broken", {})).rejects.toMatchObject({ code: "GATEWAY_TARGET_UNAVAILABLE" });
  }
  const dead = idempotent(target, { store, leaseMs: 1000 })({ clock } as unknown as TargetParts);
  void dead.call(keyed, "pay", {});
  await turn();
  await expect(made.call(keyed, "pay", {})).rejects.toMatchObject({ code: "GATEWAY_CONFLICT" });
  await clock.advance(1000);
  const call = made.call(keyed, "pay", {});
  await turn();
  state.answer();
  state.answer();
  expect(await call).toMatchObject({ content: [{ text: "receipt 2" }] });
});
