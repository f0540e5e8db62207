/**
 * Cuts the network between workers, a Redis primary and its replica, and promotes the replica while the old primary and a
 * worker go on alone on the other side: `campaign partition --profile redis --seed 1 --cuts 20`. Runs the same schedule
 * with writes that wait for the replica and with writes that do not. Needs root and iproute2: it makes its own network
 * namespaces and takes them away.
 */
import { parseArgs } from "node:util";
import type { Findings } from "../crash/check.ts";
import type { Place } from "../crash/engine.ts";
import { inFolder, LEASE_MS, mulberry32, Stage, sleep } from "../crash/stage.ts";
import { Network, SERVICE } from "./network.ts";
import { Pair } from "./pair.ts";

const { values } = parseArgs({
  options: {
    profile: { type: "string", default: "redis" },
    seed: { type: "string", default: "1" },
    cuts: { type: "string", default: "20" },
    kills: { type: "string" },
  },
});
if (values.profile !== "redis") {
  console.error(`This campaign runs on redis; ${values.profile} is not one of its profiles.`);
  process.exit(2);
}
const seed = Number(values.seed);
const cuts = Number(values.kills ?? values.cuts);

interface Run extends Findings {
  readonly cuts: { readonly worker: number; readonly replica: number; readonly failover: number };
  readonly stuck: number;
}

type Durability = (Place & { profile: "redis" })["durability"];

const replicated = await run({ replicas: 1, timeoutMs: 500 });
const primary = await run("primary");
const { lost, interleavedWriters } = replicated;
console.log(
  JSON.stringify({
    ...{ campaign: "partition", profile: values.profile, seed, cuts, lost, interleavedWriters },
    byDurability: { replicated, primary },
  }),
);
for (const { gaps, doubleCompletions, interleavedWriters: interleaved, stuck } of [replicated, primary]) {
  if (gaps + doubleCompletions + interleaved + stuck > 0) process.exitCode = 1;
}

async function run(durability: Durability): Promise<Run> {
  const random = mulberry32(seed);
  let result: Run | undefined;
  await inFolder(async (folder) => {
    const network = new Network(["n1", "n2", "w1", "w2"]);
    try {
      const pair = await Pair.start(network, folder, ["n1", "n2"]);
      const place = (at: string): Place => ({ profile: "redis", at, durability });
      const done = { worker: 0, replica: 0, failover: 0 };
      const stage = await Stage.set(folder, place(pair.socket));
      try {
        for (const index of [0, 1]) {
          stage.launch(index, place(`redis://${SERVICE}:6379`), network.on(`w${index + 1}`));
        }
        while (done.worker + done.replica + done.failover < cuts) {
          await stage.feed();
          await sleep(200 + random() * 800);
          const what = random();
          const worker = random() < 0.5 ? "w1" : "w2";
          const shortMs = random() * LEASE_MS;
          if (what < 0.35) {
            network.cut(worker);
            await sleep(LEASE_MS / 2 + 2 * shortMs);
            network.heal();
            done.worker += 1;
          } else if (what < 0.55) {
            network.cut(pair.replica);
            await sleep(LEASE_MS / 2 + shortMs);
            network.heal();
            done.replica += 1;
          } else {
            network.cut(pair.primary, worker);
            await sleep(shortMs / 2);
            await pair.promote();
            await sleep(LEASE_MS * 1.5 + shortMs);
            await pair.rejoin();
            await stage.moveTo(place(pair.socket));
            done.failover += 1;
          }
          await pair.linked();
          process.stderr.write(
            `\r  ${JSON.stringify(durability)} ${JSON.stringify(done)}, ${stage.acknowledged} steps   `,
          );
        }
        process.stderr.write("\n  letting the sessions finish\n");
        const stuck = await stage.settle();
        result = { cuts: done, stuck, ...(await stage.findings()) };
      } finally {
        await stage.close();
        await pair.stop();
      }
    } finally {
      network.close();
    }
  });
  if (result === undefined) throw new Error("The campaign did not come to its end.");
  return result;
}
