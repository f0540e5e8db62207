import fc from "fast-check";
import { expect, test } from "vitest";
import { printSideBySide } from "../printing/print-side-by-side.ts";
import type { SessionEvent } from "../session-event.ts";
import { sessionEventFixture } from "../testing/session-event-fixture.ts";
import { compareSessions } from "./compare-sessions.ts";

const run = (session: string, past: number, rest: readonly Partial<SessionEvent>[]): SessionEvent[] => [
  ...Array.from({ length: past }, (_, index) => sessionEventFixture({ session, seq: index + 1 })),
  ...rest.map((parts, index) =>
    sessionEventFixture({ session, seq: past + index + 1, id: `${session}_${index}`, ...parts }),
  ),
];
const origin = run("ses_a", 3, [
  { type: "step.started", step: "tool:refund", body: { name: "tool:refund", idempotencyKey: "ses_a:1:tool:refund" } },
  { type: "step.completed", step: "tool:refund", body: { output: "ok" } },
  { type: "usage.recorded", body: { inputTokens: 10, outputTokens: 2, costMicros: 60 } },
  { type: "agent.message", body: { text: "Refunded." } },
]);
const fork = run("ses_b", 3, [
  { type: "session.forked", body: { from: "ses_a" } },
  { type: "step.completed", step: "tool:refund", attempt: 0, body: { output: "ok", recorded: true } },
  { type: "usage.recorded", body: { inputTokens: 10, outputTokens: 2, costMicros: 60 } },
  { type: "agent.message", body: { text: "We are sorry." } },
]);

test("a fork is aligned with its origin after the past that they share", () => {
  const { shared, rows } = compareSessions(origin, fork);
  expect(shared).toBe(3);
  expect(rows.map(({ kind, left, right }) => `${kind} ${(left ?? right)?.type}`).toSorted()).toEqual([
    "changed agent.message",
    "left step.started",
    "right session.forked",
    "same step.completed",
    "same usage.recorded",
  ]);
});

test("an effect from the record is never counted as executed", () => {
  const { left, right } = compareSessions(origin, fork);
  expect(left).toMatchObject({ executed: { "tool:refund": 1 }, recorded: {}, inputTokens: 10, costMicros: 60 });
  expect(right).toMatchObject({ executed: {}, recorded: { "tool:refund": 1 } });
  const text = printSideBySide(origin, fork);
  expect(text).toContain("the first 3 events are the same");
  expect(text).toContain("tool:refund (from the record)");
  expect(text).toMatch(/executed: tool:refund\s+executed: nothing/);
});

test("a key that names the session does not make two steps differ", () => {
  const step = (session: string) => ({ type: "step.started", step: "a", body: { idempotencyKey: `${session}:1:a` } });
  expect(compareSessions(run("ses_a", 0, [step("ses_a")]), run("ses_b", 0, [step("ses_b")])).rows).toMatchObject([
    { kind: "same" },
  ]);
});

test("every event stands once and in order, whatever the sides hold", () => {
  const types = fc.array(
    fc.constantFrom("a", "b", "c", "d").map((type) => ({ type })),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(types, types, (first, second) => {
      const { rows } = compareSessions(run("ses_a", 0, first), run("ses_b", 0, second));
      expect(rows.flatMap(({ left }) => left?.seq ?? [])).toEqual(first.map((_, index) => index + 1));
      expect(rows.flatMap(({ right }) => right?.seq ?? [])).toEqual(second.map((_, index) => index + 1));
      for (const { left, right } of rows) if (left && right) expect(left.type).toBe(right.type);
    }),
  );
});

test("sides that have nothing in common are shown one after the other", () => {
  const many = (type: string) => Array.from({ length: 2500 }, () => ({ type }));
  const { rows } = compareSessions(run("ses_a", 0, many("a")), run("ses_b", 0, many("b")));
  expect(rows).toHaveLength(5000);
});
