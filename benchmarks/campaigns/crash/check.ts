import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { SessionEvent } from "@ashlar/runtime";
import { STEPS_PER_TURN } from "./agent.ts";

export interface Findings {
  readonly steps: number;
  /** What was acknowledged and is not there, and steps whose result was taken again after it had been acknowledged. */
  readonly lost: number;
  readonly gaps: number;
  readonly doubleCompletions: number;
  /** A claim that wrote again after another one had. */
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
    let writer = "";
    const before = new Set<string>();
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
      else if (event.fence !== writer) {
        if (before.has(event.fence)) interleavedWriters += 1;
        before.add(writer);
        writer = event.fence;
      }
    }
  }
  const acknowledged = new Set<string>();
  const effects = new Set<string>();
  let repeatedEffects = 0;
  let forgotten = 0;
  const late = new Set<string>();
  for (const line of lines(folder)) {
    const [what = "", run = "", ...rest] = line.split(" ");
    const key = rest.join(" ");
    if (what === "effect") {
      if (acknowledged.has(key)) late.add(`${run} ${key}`);
      if (effects.has(key)) repeatedEffects += 1;
      effects.add(key);
    } else {
      // A zombie's late effect is only repeated. One whose result was taken shows that the first result was forgotten.
      if (late.delete(`${run} ${key}`)) forgotten += 1;
      acknowledged.add(key);
    }
  }
  return {
    steps: completed.size,
    lost:
      forgotten +
      [...acknowledged].filter((key) => !completed.has(key)).length +
      [...sent.keys()].filter((place) => !inputs.has(place)).length,
    gaps,
    doubleCompletions: [...completed.values()].filter((count) => count > 1).length,
    interleavedWriters,
    wrongLists,
    repeatedEffects,
    effectsMissing: [...completed.keys()].filter((key) => !effects.has(key)).length,
  };
}

const lines = (folder: string): readonly string[] =>
  readFileSync(join(folder, "outside"), "utf8")
    .split("\n")
    .filter((line) => line !== "");
