/** A process that works when it is told to: `worker.ts ours|bare <place> <concurrency>`; it reports what is done. */
import { Runtime } from "@ashlar/runtime";
import { openEngine, type Place } from "../campaigns/crash/engine.ts";
import { work } from "./queue.ts";

const [kind, text = "{}", concurrency] = process.argv.slice(2);
const place = JSON.parse(text) as Place;
let count = 0;
const done = () => {
  count += 1;
};
setInterval(() => {
  if (count === 0) return;
  process.send?.({ done: count });
  count = 0;
}, 5);

process.once("message", async () => {
  if (kind === "bare") {
    await work(place, Number(concurrency), done);
    return;
  }
  const { close: _, ...engine } = openEngine(place);
  const runtime = new Runtime({
    ...engine,
    concurrency: Number(concurrency),
    agents: [
      {
        name: "turner",
        async run() {
          done();
        },
      },
    ],
  });
  await runtime.start();
});
process.send?.({ ready: true });
