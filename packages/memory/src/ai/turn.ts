import type { MemoryEvent } from "../event.ts";

export interface ShownTurn {
  readonly turn: number;
  readonly at: string;
  readonly said: readonly { readonly by: string; readonly text: string }[];
}

/** What a model is shown of an event: a number in place of its id, who said what and when. */
export const turnOf = ({ actor, at, items }: MemoryEvent, turn: number): ShownTurn => ({
  turn,
  at: new Date(at).toISOString(),
  said: items.flatMap((item) => {
    return item.type === "conversational"
      ? [{ by: item.speaker ?? (item.role === "user" ? actor : item.role), text: item.text }]
      : [];
  }),
});
