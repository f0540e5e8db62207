/** One worker process of a campaign: `worker.ts <folder> <place>`. It runs until it is killed. */
import { Runtime } from "@ashlar/runtime";
import { walker } from "./agent.ts";
import { openEngine, type Place } from "./engine.ts";

const [folder = "", place = "{}"] = process.argv.slice(2);
const { close: _, ...engine } = openEngine(JSON.parse(place) as Place);
const runtime = new Runtime({
  ...engine,
  agents: [walker(folder)],
  concurrency: 8,
  leaseMs: 1_000,
  sweepMs: 50,
  maxCrashes: 1_000_000,
  onError: () => {},
});
for (let started = false; !started; ) {
  started = await runtime.start().then(
    () => true,
    () => new Promise<false>((resolve) => setTimeout(resolve, 200, false)),
  );
}
