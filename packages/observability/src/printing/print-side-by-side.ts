import { type ComparedRow, compareSessions, type SideFigures } from "../comparison/compare-sessions.ts";
import type { Json } from "../dialect.ts";
import type { SessionEvent } from "../session-event.ts";
import { eventLine } from "./event-line.ts";
import { count, duration, money } from "./figures.ts";
import { type Paint, painter, shorten, terminalText } from "./terminal-text.ts";

export interface PrintSideBySideOptions {
  /** ANSI colours. Off when absent. */
  readonly colour?: boolean;
  /** Columns; 120 when absent. */
  readonly width?: number;
  /** Above each side; the sessions' ids when absent. */
  readonly titles?: readonly [left: string, right: string];
}

const marks = { same: " ", changed: "≠", left: "‹", right: "›" } as const;
const shades = { same: "dim", changed: "yellow", left: "red", right: "green" } as const;

/**
 * Two sessions beside each other: the past that they share as one line, then what each did. Where a fork took a
 * step's result from the record it says so: such a step was not executed again.
 */
export function printSideBySide(
  left: readonly SessionEvent[],
  right: readonly SessionEvent[],
  { colour = false, width = 120, titles }: PrintSideBySideOptions = {},
): string {
  const compared = compareSessions(left, right);
  const paint = painter(colour);
  const column = Math.max(24, Math.floor((width - 3) / 2));
  const pair = (a: string, b: string, mark: string = " ") =>
    `${shorten(terminalText(a), column).padEnd(column)} ${mark} ${shorten(terminalText(b), column)}`.trimEnd();
  const heading = titles ?? [compared.left.session, compared.right.session];
  return [
    paint(pair(heading[0], heading[1]), "bold"),
    paint(`${"─".repeat(column)} · ${"─".repeat(column)}`, "dim"),
    ...(compared.shared === 0 ? [] : [paint(`the first ${count(compared.shared)} events are the same`, "dim")]),
    ...compared.rows.map((row) => line(row, pair, paint)),
    paint(`${"─".repeat(column)} · ${"─".repeat(column)}`, "dim"),
    ...zip(sums(compared.left), sums(compared.right)).map(([a, b]) => pair(a, b)),
  ].join("\n");
}

const line = ({ kind, left, right }: ComparedRow, pair: (a: string, b: string, mark: string) => string, paint: Paint) =>
  paint(pair(told(left), told(right), marks[kind]), shades[kind]);

function told(event: SessionEvent | undefined): string {
  if (event === undefined) return "";
  const { seq, type, step, body } = event;
  const fields = typeof body === "object" && body !== null && !Array.isArray(body) ? (body as Fields) : undefined;
  const lead = `${String(seq).padStart(4)} ${type}${step === undefined ? "" : ` ${step}`}`;
  if (fields === undefined) return `${lead} ${eventLine(event)}`;
  const { idempotencyKey: _key, digest: _digest, name, recorded, ...rest } = fields;
  const named = name === undefined || step !== undefined ? rest : { name, ...rest };
  return `${lead}${recorded === true ? " (from the record)" : ""} ${eventLine({ ...event, body: named })}`;
}

type Fields = { readonly [key: string]: Json };

function sums({ executed, recorded, inputTokens, outputTokens, costMicros, tookMs }: SideFigures): readonly string[] {
  const named = (steps: Readonly<Record<string, number>>) =>
    Object.entries(steps)
      .map(([name, times]) => (times === 1 ? name : `${name} ×${times}`))
      .join(", ") || "nothing";
  return [
    `executed: ${named(executed)}`,
    `from the record: ${named(recorded)}`,
    `${count(inputTokens)} tokens in, ${count(outputTokens)} out, ${money({ micros: costMicros, currency: "" }).trim()}, ${duration(Math.max(0, tookMs))}`,
  ];
}

const zip = (left: readonly string[], right: readonly string[]) =>
  left.map((each, index) => [each, right[index] ?? ""] as const);
