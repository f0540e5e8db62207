import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { SessionEvent } from "@ashlar/runtime";
import { STEPS_PER_TURN } from "./agent.ts";

export interface Findings {
  readonly steps: number;
  readonly lost: number;
  readonly gaps: number;
  readonly doubleCompletions: number;
  readonly interleavedWriters: number;
  readonly wrongLists: number;
  readonly repeatedEffects: number;
  readonly effectsMissing: number;
}

/** Reads the recorded history against what was acknowledged outside of it. */
export function check(
  folder: string,
  histories: ReadonlyMap<string, readonly SessionEvent[]>,
  sent: ReadonlyMap<string, string>,
): Findings {
  const completed = new Map<string, number>();
  const inputs = new Map<string, string>();
  let gaps = 0;
  let interleavedWriters = 0;
  let wrongLists = 0;
  for (const [session, events] of histories) {
    let epoch = 0;
    for (const [index, event] of events.entries()) {
      if (event.seq !== index + 1) gaps += 1;
      if (event.type === "step.completed") {
        const key = `${session} ${event.turn} ${event.step}`;
        completed.set(key, (completed.get(key) ?? 0) + 1);
      }
      if (event.type === "turn.completed") {
        const { output } = event.body as { output: { list: number[] } };
        if (JSON.stringify(output.list) !== JSON.stringify([...Array(STEPS_PER_TURN).keys()])) wrongLists += 1;
      }
      if (event.fence === "input") inputs.set(`${session} ${event.seq}`, event.id);
      else if (Number.parseInt(event.fence, 10) < epoch) interleavedWriters += 1;
      else epoch = Number.parseInt(event.fence, 10);
    }
  }
  const acknowledged = new Set(lines(folder, "acknowledged"));
  const effects = lines(folder, "effects").map((line) => line.split(" ")[0] ?? "");
  const distinct = new Set(effects);
  return {
    steps: completed.size,
    lost:
      [...acknowledged].filter((key) => !completed.has(key)).length +
      [...sent.keys()].filter((place) => !inputs.has(place)).length,
    gaps,
    doubleCompletions: [...completed.values()].filter((count) => count > 1).length,
    interleavedWriters,
    wrongLists,
    repeatedEffects: effects.length - distinct.size,
    effectsMissing: Math.max(0, completed.size - distinct.size),
  };
}

const lines = (folder: string, name: string): readonly string[] =>
  readFileSync(join(folder, name), "utf8")
    .split("\n")
    .filter((line) => line !== "");
