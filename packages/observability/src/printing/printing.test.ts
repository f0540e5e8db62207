import { expect, test } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { PriceTable, parsePriceTable } from "../price-table.ts";
import { sessionEventFixture } from "../testing/session-event-fixture.ts";
import { spanFixture, spanIdOf } from "../testing/span-fixture.ts";
import { printTimeline } from "./print-timeline.ts";
import { printTraces } from "./print-traces.ts";

const pricing = new PriceTable({
  models: { "m-*": { inputPerMillion: 3, outputPerMillion: 15, cachedPerMillion: 0.3 } },
});
const chat = {
  "gen_ai.operation.name": "chat",
  "gen_ai.request.model": "m-1",
  "gen_ai.usage.input_tokens": 1000,
  "gen_ai.usage.output_tokens": 100,
};

test("a trace reads as a tree with durations, tokens and cost", () => {
  const root = spanFixture({ spanId: spanIdOf(1), name: "invoke_agent resolver", attributes: {} });
  const child = spanFixture({ spanId: spanIdOf(2), parentSpanId: spanIdOf(1), name: "chat m-1", attributes: chat });
  const failed = spanFixture({
    spanId: spanIdOf(3),
    parentSpanId: spanIdOf(2),
    name: "execute_tool refund",
    status: "error",
    statusMessage: "card closed",
  });
  const text = printTraces([failed, child, root], { pricing });
  expect(text).toContain("3 spans · 120 ms · 1 failed · 1,000 tokens in, 100 out · 0.0045 USD");
  expect(
    text
      .split("\n")
      .slice(1)
      .map((line) => line.slice(0, 30).trimEnd()),
  ).toEqual(["invoke_agent resolver", "└─ chat m-1", "   └─ execute_tool refund"]);
  expect(text).toContain("card closed");
});

test("a span that has not ended says so and reaches to the last sign below it", () => {
  const at = Date.UTC(2026, 0, 1);
  const root = spanFixture({ spanId: spanIdOf(1), name: "invoke_agent resolver", open: true, endAt: at });
  const turn = spanFixture({ spanId: spanIdOf(2), parentSpanId: spanIdOf(1), name: "step", open: true, endAt: at });
  const child = spanFixture({ spanId: spanIdOf(3), parentSpanId: spanIdOf(2), name: "chat m-1", attributes: chat });
  const text = printTraces([root, turn, child]);
  expect(text).toContain("3 spans · 120 ms · 2 not ended · 1,000 tokens in");
  expect(text.split("\n").filter((line) => line.includes("▬".repeat(16)))).toHaveLength(3);
});

test("spans that are each other's parents are still shown", () => {
  const a = spanFixture({ spanId: spanIdOf(1), parentSpanId: spanIdOf(2), name: "a" });
  const b = spanFixture({ spanId: spanIdOf(2), parentSpanId: spanIdOf(1), name: "b" });
  expect(printTraces([a, b]).match(/… [ab]/g)).toHaveLength(2);
});

test("a timeline shows pauses, another writer, retries and missing events", () => {
  const text = printTimeline([
    sessionEventFixture({ seq: 1, body: { text: "refund me" } }),
    sessionEventFixture({
      seq: 2,
      type: "step.started",
      step: "refund",
      attempt: 2,
      at: Date.UTC(2026, 0, 1) + 60_000,
      fence: "2:b",
    }),
    sessionEventFixture({ seq: 5, type: "session.ended", at: Date.UTC(2026, 0, 1) + 60_001, fence: "2:b" }),
  ]);
  for (const part of [
    "refund me",
    "··· 59.9 s later",
    "=== writer 2 takes over",
    "[refund attempt 2]",
    "!!! events 3 to 4 are missing",
  ])
    expect(text).toContain(part);
});

test("an input from outside is no change of writer", () => {
  const text = printTimeline([
    sessionEventFixture({ seq: 1, fence: "1:a", turn: 1 }),
    sessionEventFixture({ seq: 2, fence: "input" }),
    sessionEventFixture({ seq: 3, fence: "1:a", turn: 1 }),
    sessionEventFixture({ seq: 4, fence: "2:b", turn: 1 }),
  ]);
  expect(text.match(/=== .*/g)).toEqual(["=== writer 2 takes over"]);
});

test("a price counts cached tokens once, knows no unknown model, and comes from a checked file", () => {
  expect(pricing.price("m-9", { inputTokens: 1000, outputTokens: 0, cachedTokens: 400 })).toEqual({
    micros: 1920,
    currency: "USD",
  });
  expect(pricing.price("other", { inputTokens: 1, outputTokens: 1 })).toBeUndefined();
  const own = pricing.with({ "m-9": { inputPerMillion: 1, outputPerMillion: 1 } });
  expect(own.price("m-9", { inputTokens: 1000, outputTokens: 0 })?.micros).toBe(1000);
  expect(own.price("m-1", { inputTokens: 1000, outputTokens: 0 })?.micros).toBe(3000);
  expect(parsePriceTable('{"currency":"EUR","models":{"x":{"inputPerMillion":1,"outputPerMillion":2}}}').currency).toBe(
    "EUR",
  );
  for (const wrong of ["", "{}", '{"models":{"x":{"inputPerMillion":-1,"outputPerMillion":2}}}'])
    expect(() => parsePriceTable(wrong)).toThrow(/price table/);
});

const ESCAPE = String.fromCharCode(27);

hostile("a transcript that drives the terminal", {
  control: "printed as it is, the text carries an escape sequence",
  unguarded: () => expect(`${ESCAPE}[2J`).toContain(ESCAPE),
  guarded() {
    const nasty = `${ESCAPE}]0;title\u0007${ESCAPE}[2J\u202egnp.exe\r\nnext`;
    const event = sessionEventFixture({ type: nasty, step: nasty, session: nasty, body: { text: nasty } });
    const span = spanFixture({ name: nasty, scope: nasty, status: "error", statusMessage: nasty });
    const text = printTimeline([event]) + printTraces([span]);
    expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u202e]/u);
    expect(printTimeline([event]).split("\n")).toHaveLength(2);
  },
});

hostile("clocks that disagree between machines", {
  control: "a naive difference is negative",
  unguarded: () =>
    expect(sessionEventFixture({ seq: 2, at: 5 }).at - sessionEventFixture({ seq: 1, at: 9000 }).at).toBeLessThan(0),
  guarded() {
    const text = printTimeline([
      sessionEventFixture({ seq: 1, at: 9000 }),
      sessionEventFixture({ seq: 2, at: 5, fence: "2:b" }),
    ]);
    expect(text).toContain("the clock stepped back by 9.0 s");
    const child = spanFixture({
      spanId: spanIdOf(2),
      parentSpanId: spanIdOf(1),
      startAt: spanFixture().startAt - 5000,
      endAt: spanFixture().startAt - 4000,
    });
    expect(printTraces([spanFixture({ spanId: spanIdOf(1) }), child])).toContain("2 spans");
  },
});

hostile("an event whose body is 10 MB", {
  control: "its JSON alone is larger than a terminal's scroll-back",
  unguarded: () => expect(JSON.stringify({ text: "x".repeat(10_000_000) }).length).toBeGreaterThan(10_000_000),
  guarded: () =>
    expect(printTimeline([sessionEventFixture({ body: { text: "x".repeat(10_000_000) } })]).length).toBeLessThan(400),
});
