import type { CallContext, Json } from "../dialect.ts";
import type { SessionLog } from "../session-log.ts";
import { readAll } from "./read-all.ts";

/** Looks up what a session recorded for a step of this name and these arguments; each record answers once, in order. */
export function recordedEffects(
  log: SessionLog,
  context: CallContext,
  origin: string,
): (name: string, digest: string) => Promise<Json | undefined> {
  let outputs: Promise<Map<string, Json[]>> | undefined;
  return async (name, digest) => {
    outputs ??= read(log, context, origin);
    return (await outputs).get(`${digest} ${name}`)?.shift();
  };
}

async function read(log: SessionLog, context: CallContext, origin: string): Promise<Map<string, Json[]>> {
  const outputs = new Map<string, Json[]>();
  const started = new Map<string, string>();
  for await (const { type, turn, step, body } of readAll(log, context, origin)) {
    const fields = (body ?? {}) as { readonly [key: string]: Json };
    const place = `${turn} ${step}`;
    if (type === "step.started") started.set(place, `${fields.digest} ${fields.name}`);
    const key = started.get(place);
    if (type !== "step.completed" || key === undefined) continue;
    outputs.set(key, [...(outputs.get(key) ?? []), fields.output ?? null]);
  }
  return outputs;
}
