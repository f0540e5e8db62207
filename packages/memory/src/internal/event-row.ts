import type { MemoryEvent } from "../event.ts";
import { dayOf, type Indexed } from "./indexing.ts";

/** An event as it is stored. */
export interface EventRow extends MemoryEvent {
  readonly group: number;
  /** The key that holds its idempotency key. */
  readonly once?: string;
}

export const eventOf = ({ group, once, ...event }: EventRow): MemoryEvent => event;

/** What was said in an event; "" when nothing was. */
export const textOfEvent = ({ items }: Pick<MemoryEvent, "items">): string =>
  items.flatMap((item) => (item.type === "conversational" ? [item.text] : [])).join("\n");

/** How an event enters the index; `undefined` when it has no words. */
export function eventIndexing(row: EventRow): Indexed | undefined {
  const text = textOfEvent(row);
  if (text === "") return undefined;
  const said = row.items.find((item) => item.type === "conversational");
  const speaker = said?.type === "conversational" ? (said.speaker ?? said.role) : undefined;
  return {
    source: "events",
    group: row.group,
    position: row.position,
    text,
    context: `${speaker ?? ""} ${dayOf(row.at)}`,
    ...(speaker === undefined ? {} : { speaker }),
  };
}
