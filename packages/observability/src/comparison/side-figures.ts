import type { Json } from "../dialect.ts";
import type { SessionEvent } from "../session-event.ts";
import type { SideFigures } from "./compare-sessions.ts";

type Fields = { readonly [key: string]: Json };

/** What these events say was done, used and spent. */
export function sideFigures(session: string, events: readonly SessionEvent[]): SideFigures {
  const executed: Record<string, number> = {};
  const recorded: Record<string, number> = {};
  let [inputTokens, outputTokens, costMicros] = [0, 0, 0];
  for (const { type, step = "", body } of events) {
    const fields = (typeof body === "object" && body !== null ? body : {}) as Fields;
    const name = typeof fields.name === "string" ? fields.name : step.replace(/#\d+$/, "");
    if (type === "step.started") executed[name] = (executed[name] ?? 0) + 1;
    if (type === "step.completed" && fields.recorded === true) recorded[name] = (recorded[name] ?? 0) + 1;
    if (type !== "usage.recorded") continue;
    inputTokens += count(fields.inputTokens);
    outputTokens += count(fields.outputTokens);
    costMicros += count(fields.costMicros);
  }
  const tookMs = (events.at(-1)?.at ?? 0) - (events[0]?.at ?? 0);
  return { session, events: events.length, executed, recorded, inputTokens, outputTokens, costMicros, tookMs };
}

const count = (value: Json | undefined): number => (typeof value === "number" && Number.isFinite(value) ? value : 0);
