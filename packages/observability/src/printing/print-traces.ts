import { factsOf, isInference } from "../internal/span-facts.ts";
import type { Pricing } from "../pricing.ts";
import type { SpanRecord } from "../span-record.ts";
import { count, duration, money } from "./figures.ts";
import { type Paint, painter, shorten, terminalText } from "./terminal-text.ts";

export interface PrintTracesOptions {
  /** ANSI colours. Off when absent. */
  readonly colour?: boolean;
  /** Columns; 100 when absent. */
  readonly width?: number;
  /** Adds what each model call cost, and the sum. */
  readonly pricing?: Pricing;
}

interface Sums {
  inputTokens: number;
  outputTokens: number;
  micros: number;
  currency: string | undefined;
  unpriced: number;
}

const BAR = 16;
const DEEPEST = 24;

/** Spans as trees, one per trace, with durations, tokens and cost. A span whose parent is not among them stands as a root. */
export function printTraces(
  spans: readonly SpanRecord[],
  { colour = false, width = 100, pricing }: PrintTracesOptions = {},
): string {
  const paint = painter(colour);
  const traces = Map.groupBy(
    [...spans].sort((a, b) => a.startAt - b.startAt),
    ({ traceId }) => traceId,
  );
  const lines: string[] = [];
  for (const [traceId, members] of traces) {
    if (lines.length > 0) lines.push("");
    lines.push(...tree(traceId, members, { paint, width, ...(pricing === undefined ? {} : { pricing }) }));
  }
  return lines.join("\n");
}

interface Style {
  readonly paint: Paint;
  readonly width: number;
  readonly pricing?: Pricing;
}

function tree(traceId: string, found: readonly SpanRecord[], { paint, width, pricing }: Style): readonly string[] {
  const spans = withLastSigns(found);
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const children = Map.groupBy(spans, ({ parentSpanId }) =>
    parentSpanId !== undefined && ids.has(parentSpanId) ? parentSpanId : "",
  );
  const start = Math.min(...spans.map(({ startAt }) => startAt));
  const end = Math.max(...spans.map(({ endAt }) => endAt));
  const nameWidth = Math.max(20, width - BAR - 44);
  const sums: Sums = { inputTokens: 0, outputTokens: 0, micros: 0, currency: undefined, unpriced: 0 };
  const rows: string[] = [];
  const shown = new Set<string>();

  const row = (span: SpanRecord, lead: string): void => {
    const failed = span.status === "error";
    const label = shorten(`${lead}${terminalText(span.name)}`, nameWidth).padEnd(nameWidth);
    const took = (span.open === true ? "not ended" : duration(span.endAt - span.startAt)).padStart(11);
    const tail = shorten(
      [usage(span, sums, pricing), scopeOf(span), failed ? problem(span) : ""].filter((part) => part !== "").join("  "),
      60,
    );
    rows.push(
      `${failed ? paint(label, "red") : label} ${paint(bar(span, start, end), failed ? "red" : "cyan")} ${took}  ${paint(tail, failed ? "red" : "dim")}`.trimEnd(),
    );
  };
  const walk = (parent: string, lead: string, depth: number): void => {
    const list = children.get(parent) ?? [];
    list.forEach((span, index) => {
      if (shown.has(span.spanId)) return;
      shown.add(span.spanId);
      const last = index === list.length - 1;
      row(span, parent === "" ? "" : `${lead}${last ? "└─ " : "├─ "}`);
      if (depth < DEEPEST) walk(span.spanId, parent === "" ? "" : `${lead}${last ? "   " : "│  "}`, depth + 1);
    });
  };
  walk("", "", 0);
  for (const span of spans) if (!shown.has(span.spanId)) row(span, "… ");

  const unended = spans.filter(({ open }) => open === true).length;
  const failures = spans.filter(({ status }) => status === "error").length;
  const total = [
    `${count(spans.length)} spans`,
    duration(end - start),
    ...(failures > 0 ? [`${count(failures)} failed`] : []),
    ...(unended > 0 ? [`${count(unended)} not ended`] : []),
    ...(sums.inputTokens + sums.outputTokens > 0
      ? [`${count(sums.inputTokens)} tokens in, ${count(sums.outputTokens)} out`]
      : []),
    ...(sums.currency === undefined ? [] : [money({ micros: sums.micros, currency: sums.currency })]),
    ...(sums.unpriced > 0 ? [`${count(sums.unpriced)} calls without a price`] : []),
  ];
  return [`${paint(`trace ${terminalText(traceId)}`, "bold")}  ${paint(total.join(" · "), "dim")}`, ...rows];
}

/** A span that has not ended reaches to the last sign of what happened below it. */
function withLastSigns(spans: readonly SpanRecord[]): readonly SpanRecord[] {
  if (spans.every(({ open }) => open !== true)) return spans;
  const ends = new Map(spans.map(({ spanId, endAt }) => [spanId, endAt]));
  const parents = new Map(spans.map(({ spanId, parentSpanId }) => [spanId, parentSpanId]));
  for (const { spanId, endAt } of spans) {
    const seen = new Set([spanId]);
    for (let above = parents.get(spanId); above !== undefined && !seen.has(above); above = parents.get(above)) {
      seen.add(above);
      ends.set(above, Math.max(endAt, ends.get(above) ?? endAt));
    }
  }
  return spans.map((span) => (span.open === true ? { ...span, endAt: ends.get(span.spanId) ?? span.endAt } : span));
}

function bar({ startAt, endAt }: SpanRecord, start: number, end: number): string {
  const whole = Math.max(end - start, 0.001);
  const from = Math.min(BAR - 1, Math.floor(((startAt - start) / whole) * BAR));
  const to = Math.max(from + 1, Math.min(BAR, Math.ceil(((endAt - start) / whole) * BAR)));
  return `${" ".repeat(from)}${"▬".repeat(to - from)}${" ".repeat(BAR - to)}`;
}

function usage(span: SpanRecord, sums: Sums, pricing: Pricing | undefined): string {
  const facts = factsOf(span);
  if (!isInference(facts.operation) || span.open === true) return "";
  sums.inputTokens += facts.inputTokens;
  sums.outputTokens += facts.outputTokens;
  const parts = [`${count(facts.inputTokens)}→${count(facts.outputTokens)} tok`];
  const price = facts.model === undefined ? undefined : pricing?.price(facts.model, facts);
  if (price !== undefined) {
    sums.micros += price.micros;
    sums.currency ??= price.currency;
    parts.push(money(price));
  } else if (pricing !== undefined) sums.unpriced += 1;
  return parts.join(" ");
}

const scopeOf = ({ scope }: SpanRecord): string => terminalText(scope).replace(/^ashlar\./, "");

function problem({ statusMessage, attributes }: SpanRecord): string {
  const type = attributes["error.type"];
  return terminalText(statusMessage ?? (typeof type === "string" ? type : "failed"));
}
