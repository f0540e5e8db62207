import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Runtime } from "@ashlar/runtime";
import { openEngine, type Place } from "../campaigns/crash/engine.ts";
import { fill } from "./queue.ts";

const CONCURRENCY = 64;
const context = { principal: { tenant: "bench" } };

/** Turns, or bare jobs, per second over so many worker processes, from the moment that they are let loose. */
export async function rate(kind: "ours" | "bare", place: Place, workers: number, turns: number): Promise<number> {
  if (kind === "bare") await fill(place, turns);
  else await messages(place, turns);
  const entry = fileURLToPath(new URL("worker.ts", import.meta.url));
  const execArgv = ["--conditions=@ashlar/source", "--disable-warning=ExperimentalWarning"];
  const children = Array.from({ length: workers }, () =>
    fork(entry, [kind, JSON.stringify(place), String(CONCURRENCY)], { execArgv }),
  );
  try {
    await Promise.all(children.map((child) => once(child, "message")));
    let count = 0;
    let first = 0;
    const { promise: finished, resolve } = Promise.withResolvers<void>();
    for (const child of children) {
      child.on("message", ({ done = 0 }: { done?: number }) => {
        first ||= performance.now();
        count += done;
        if (count >= turns) resolve();
      });
      child.send("go");
    }
    await finished;
    return (turns / (performance.now() - first)) * 1000;
  } finally {
    for (const child of children) child.kill("SIGKILL");
  }
}

async function messages(place: Place, turns: number): Promise<void> {
  const { close, ...engine } = openEngine(place);
  const runtime = new Runtime({ ...engine, agents: [{ name: "turner", run: async () => {} }] });
  for (let at = 0; at < turns; at += 50) {
    await Promise.all(
      Array.from({ length: Math.min(50, turns - at) }, async () => {
        const { id } = await runtime.sessions.open(context, { agent: "turner" });
        await runtime.sessions.send(context, id, { type: "user.message", body: { go: true } });
      }),
    );
  }
  await close();
}
