import type { SessionEvent } from "../session-event.ts";
import { eventLine } from "./event-line.ts";
import { duration } from "./figures.ts";
import { type Paint, painter, shorten, terminalText } from "./terminal-text.ts";

export interface PrintTimelineOptions {
  /** ANSI colours. Off when absent. */
  readonly colour?: boolean;
  /** Columns; 100 when absent. */
  readonly width?: number;
  /** A pause longer than this gets a line of its own. 2000 when absent. */
  readonly gapMs?: number;
}

/**
 * A session event by event: sequence number, time since the first, type, what it says. Pauses, a change of writer
 * (another worker, or the same after a crash), a clock that steps back and a missing sequence number are shown.
 */
export function printTimeline(
  events: readonly SessionEvent[],
  { colour = false, width = 100, gapMs = 2000 }: PrintTimelineOptions = {},
): string {
  const paint = painter(colour);
  const first = events[0];
  if (first === undefined) return "no events";
  const lines = [
    `${paint(`session ${terminalText(first.session)}`, "bold")}  ${paint(`${events.length} events from ${new Date(first.at).toISOString()}`, "dim")}`,
  ];
  const digits = String(events.at(-1)?.seq ?? 0).length;
  // What comes from outside is in no turn, and its fence is no worker's.
  const turns = events.some(({ turn }) => turn !== undefined);
  let writers = 0;
  let fence: string | undefined;
  let before: SessionEvent | undefined;
  for (const event of events) {
    const own = !turns || event.turn !== undefined;
    if (own && fence !== event.fence) writers += 1;
    const taken = own && writers > 1 && fence !== event.fence;
    if (before !== undefined)
      lines.push(...between(before, event, { paint, gapMs, writer: taken ? writers : undefined }));
    if (own) fence = event.fence;
    lines.push(line(event, { paint, width, digits, since: event.at - first.at }));
    before = event;
  }
  return lines.join("\n");
}

function between(
  before: SessionEvent,
  event: SessionEvent,
  { paint, gapMs, writer }: { readonly paint: Paint; readonly gapMs: number; readonly writer: number | undefined },
): readonly string[] {
  const notes: string[] = [];
  const gap = event.at - before.at;
  if (gap > gapMs) notes.push(paint(`        ··· ${duration(gap)} later`, "dim"));
  if (gap < 0) notes.push(paint(`        ··· the clock stepped back by ${duration(-gap)}`, "yellow"));
  if (event.seq !== before.seq + 1)
    notes.push(paint(`        !!! events ${before.seq + 1} to ${event.seq - 1} are missing`, "red"));
  if (writer !== undefined) notes.push(paint(`        === writer ${writer} takes over`, "magenta"));
  return notes;
}

function line(
  event: SessionEvent,
  {
    paint,
    width,
    digits,
    since,
  }: { readonly paint: Paint; readonly width: number; readonly digits: number; readonly since: number },
): string {
  const seq = String(event.seq).padStart(digits);
  const time = (since < 0 ? `-${duration(-since)}` : duration(since)).padStart(11);
  const type = shorten(terminalText(event.type), 28).padEnd(28);
  const place = [
    event.turn === undefined ? "" : `t${event.turn}`,
    event.step === undefined ? "" : terminalText(event.step),
    event.attempt === undefined || event.attempt <= 1 ? "" : `attempt ${event.attempt}`,
  ].filter((part) => part !== "");
  const lead = place.length === 0 ? "" : `[${shorten(place.join(" "), 32)}] `;
  const room = Math.max(12, width - digits - 44 - lead.length);
  const text = shorten(terminalText(eventLine(event)), room);
  return `${paint(seq, "dim")} ${paint(time, "dim")}  ${paintType(paint, type)} ${paint(lead, "blue")}${text}`.trimEnd();
}

function paintType(paint: Paint, type: string): string {
  if (/fail|error|denied|expired|killed/.test(type)) return paint(type, "red");
  if (/recovered|retry|uncertain|approval|waiting|restarted/.test(type)) return paint(type, "yellow");
  if (/completed|ended|allowed|approved/.test(type)) return paint(type, "green");
  return paint(type, "cyan");
}
