/**
 * Kills (SIGKILL) and pauses (SIGSTOP past the lease) worker processes while they take steps, and kills the profile's
 * server and starts it again; then reads the whole history: `campaign crash --profile redis --seed 1 --kills 200`. The
 * same seed makes the same schedule.
 */
import { parseArgs } from "node:util";
import type { Profile } from "./engine.ts";
import { startServer } from "./servers.ts";
import { answered, inFolder, mulberry32, Stage, sleep } from "./stage.ts";

const WORKERS = 2;
const PROFILES: readonly string[] = ["sqlite", "redis", "postgres"] satisfies readonly Profile[];
/** Of ten disturbances one is the server's. */
const SERVER_SHARE = 0.1;

const { values } = parseArgs({
  options: {
    profile: { type: "string", default: "sqlite" },
    seed: { type: "string", default: "1" },
    kills: { type: "string", default: "40" },
    steps: { type: "string" },
    /** Ends after so many seconds also short of the kills, and says how many there were. */
    seconds: { type: "string", default: "Infinity" },
    /** Of Redis. `everysec` answers before it has written while the disk is busy: what that loses is counted. */
    appendfsync: { type: "string", default: "always" },
  },
});
if (!PROFILES.includes(values.profile)) {
  console.error(`--profile ${values.profile} is not known: choose ${PROFILES.join(", ")}.`);
  process.exit(2);
}
const profile = values.profile as Profile;
const kills = Number(values.kills);
const seed = Number(values.seed);
const leastSteps = Number(values.steps ?? Math.min(10_000, kills * 50));
const random = mulberry32(seed);

await inFolder(async (folder) => {
  const server = await startServer(profile, folder, values.appendfsync);
  const stage = await Stage.set(folder, server.place);
  const done = { kills: 0, pauses: 0, serverKills: 0 };
  const disturbances = () => done.kills + done.pauses + done.serverKills;
  try {
    for (let index = 0; index < WORKERS; index++) stage.launch(index, server.place);
    let before = 0;
    const until = performance.now() + 1_000 * Number(values.seconds);
    while (performance.now() < until && (disturbances() < kills || stage.acknowledged < leastSteps)) {
      await stage.feed();
      await sleep(30 + random() * 220);
      // Whoever is killed before he has begun is no trial: on a busy machine a process takes seconds to start.
      if (disturbances() >= kills || stage.acknowledged === before) continue;
      before = stage.acknowledged;
      const index = Math.floor(random() * WORKERS);
      const what = random();
      const more = random();
      if (server.crash !== undefined && what > 1 - SERVER_SHARE) {
        await server.crash();
        done.serverKills += 1;
      } else if (what < 0.25) {
        await stage.pause(index, more);
        done.pauses += 1;
      } else {
        await stage.kill(index);
        stage.launch(index, server.place);
        done.kills += 1;
      }
      process.stderr.write(
        `\r  ${done.kills} killed, ${done.pauses} paused, server killed ${done.serverKills} times, ${stage.acknowledged} steps   `,
      );
    }
    process.stderr.write("\n  letting the sessions finish\n");
    const stuck = await stage.settle();
    const findings = await answered(() => stage.findings());
    console.log(JSON.stringify({ campaign: "crash", profile, seed, ...done, stuck, ...findings }));
    const { steps: _, repeatedEffects: __, ...faults } = findings;
    if (Object.values(faults).some((count) => count > 0) || stuck > 0) process.exitCode = 1;
  } finally {
    await stage.close();
    await server.stop();
  }
});
