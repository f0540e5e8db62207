import { expect, test } from "vitest";
import { type CallContext, GatewayError, type Target, type TargetParts } from "../index.ts";
import { ManualClock } from "../testing/index.ts";
import { cached } from "./cached.ts";
import { resilient } from "./resilient.ts";

const ann: CallContext = { principal: { tenant: "acme", user: "ann" } };
const keyed: CallContext = { ...ann, idempotencyKey: "k" };
const down = () => new GatewayError("GATEWAY_TARGET_UNAVAILABLE", "down");

function flaky(answers: readonly (Error | string)[]) {
  const calls: CallContext[] = [];
  const target: Target = {
    name: "t",
    list: async () => [],
    call: async (context) => {
      calls.push(context);
      const answer = answers[calls.length - 1] ?? answers.at(-1) ?? "";
      if (answer instanceof Error) throw answer;
      return { content: [{ type: "text", text: answer }] };
    },
  };
  return { target, calls };
}
const partsOf = (clock: ManualClock) => ({ clock }) as unknown as TargetParts;
const retry = { attempts: 3, baseMs: 100 };

test("a call is repeated with an idempotency key, or when it only reads, and else never", async () => {
  for (const [context, readOnly, expected] of [
    [ann, [], 1],
    [keyed, [], 2],
    [ann, ["read"], 2],
  ] as const) {
    const { target, calls } = flaky([down(), "fine"]);
    const made = resilient(target, { retry, readOnly, random: () => 0 })(partsOf(new ManualClock()));
    await made.call(context, "read", {}).catch(() => {});
    expect(calls).toHaveLength(expected);
  }
});

test("what the target refused for good is not repeated, and the budget ends a storm", async () => {
  const refused = flaky([new GatewayError("GATEWAY_INVALID", "no")]);
  const parts = partsOf(new ManualClock());
  await resilient(refused.target, { retry })(parts)
    .call(keyed, "x", {})
    .catch(() => {});
  expect(refused.calls).toHaveLength(1);
  const broken = flaky([down()]);
  const made = resilient(broken.target, { retry: { ...retry, budgetRatio: 0 }, random: () => 0 })(parts);
  for (let call = 0; call < 20; call++) await made.call(keyed, "x", {}).catch(() => {});
  expect(broken.calls).toHaveLength(20 + 10);
});

test("an attempt that takes too long is given up and its signal aborted", async () => {
  const clock = new ManualClock();
  let seen: AbortSignal | undefined;
  const hanging: Target = {
    name: "t",
    list: async () => [],
    call: ({ signal }) => {
      seen = signal;
      return new Promise(() => {});
    },
  };
  const call = resilient(hanging, { timeoutMs: 1000 })(partsOf(clock)).call(ann, "x", {});
  const ended = expect(call).rejects.toMatchObject({ code: "GATEWAY_TARGET_UNAVAILABLE", retryable: true });
  await clock.advance(1000);
  await ended;
  expect(seen?.aborted).toBe(true);
});

test("the circuit opens after failures in a row, lets one try after a while, and closes when it went well", async () => {
  const clock = new ManualClock();
  const { target, calls } = flaky([down(), down(), down(), "fine"]);
  const made = resilient(target, { breaker: { failures: 2, openMs: 1000 } })(partsOf(clock));
  const call = () => made.call(ann, "x", {}).catch((error: GatewayError) => error.retryAfterMs);
  await call();
  await call();
  expect(await call()).toBe(1000);
  expect(calls).toHaveLength(2);
  await clock.advance(1000);
  await call();
  expect(await call()).toBe(1000);
  expect(calls).toHaveLength(3);
  await clock.advance(1000);
  expect(await call()).toMatchObject({ content: [{ text: "fine" }] });
  expect(await call()).toMatchObject({ content: [{ text: "fine" }] });
});

test("the cache keeps by time, arguments and principal; equal calls at one time are one; failures are not kept", async () => {
  const clock = new ManualClock();
  const { target, calls } = flaky([down(), "1", "2", "3", "4"]);
  const made = cached(target, { tools: { read: { ttlMs: 1000 }, shared: { ttlMs: 1000, scope: "tenant" } } })(
    partsOf(clock),
  );
  const bob: CallContext = { principal: { tenant: "acme", user: "bob" } };
  await made.call(ann, "read", {}).catch(() => {});
  const both = await Promise.all([made.call(ann, "read", { a: 1, b: 2 }), made.call(ann, "read", { b: 2, a: 1 })]);
  expect(both[0]).toBe(both[1]);
  expect(await made.call(bob, "read", { a: 1, b: 2 })).not.toBe(both[0]);
  expect(calls).toHaveLength(3);
  await clock.advance(1000);
  expect(await made.call(ann, "read", { a: 1, b: 2 })).not.toBe(both[0]);
  expect(await made.call(ann, "shared", {})).toBe(await made.call(bob, "shared", {}));
  await made.call(ann, "other", {});
  await made.call(ann, "other", {});
  expect(calls).toHaveLength(7);
});
