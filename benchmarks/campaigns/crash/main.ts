/**
 * Kills (SIGKILL) and pauses (SIGSTOP past the lease) worker processes while they take steps, then reads the whole
 * history: `campaign crash --profile sqlite --seed 1 --kills 200`. The same seed makes the same schedule.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Runtime, type SessionEvent } from "@ashlar/runtime";
import { SqliteSessionLog, SqliteWorkQueue } from "@ashlar/runtime/sqlite";
import Database from "better-sqlite3";
import { walker } from "./agent.ts";
import { check } from "./check.ts";

const WORKERS = 2;
const SESSIONS = 24;
const LEASE_MS = 1_000;
const context = { principal: { tenant: "campaign" } };

const { values } = parseArgs({
  options: {
    profile: { type: "string", default: "sqlite" },
    seed: { type: "string", default: "1" },
    kills: { type: "string", default: "40" },
    steps: { type: "string" },
  },
});
if (values.profile !== "sqlite") {
  console.error(`This campaign runs on sqlite; ${values.profile} is not one of its profiles.`);
  process.exit(2);
}
const kills = Number(values.kills);
const seed = Number(values.seed);
const leastSteps = Number(values.steps ?? Math.min(10_000, kills * 50));
const random = mulberry32(seed);

const folder = await mkdtemp(join(tmpdir(), "ashlar-campaign-"));
for (const name of ["effects", "acknowledged"]) appendFileSync(join(folder, name), "");
const database = new Database(join(folder, "runtime.db"));
const log = new SqliteSessionLog({ database });
const runtime = new Runtime({ log, queue: new SqliteWorkQueue({ database }), agents: [walker(folder)] });
const sent = new Map<string, string>();
const sessions: string[] = [];
for (let index = 0; index < SESSIONS; index++) {
  sessions.push((await runtime.sessions.open(context, { agent: "walker" })).id);
}

const entry = fileURLToPath(new URL("worker.ts", import.meta.url));
const launch = () =>
  spawn(process.execPath, ["--conditions=@ashlar/source", "--disable-warning=ExperimentalWarning", entry, folder], {
    stdio: ["ignore", "ignore", "inherit"],
  });
const workers: ChildProcess[] = Array.from({ length: WORKERS }, launch);
let killed = 0;
let paused = 0;

try {
  while (killed + paused < kills || completedSteps() < leastSteps) {
    for (const session of sessions) {
      const { status } = await runtime.sessions.get(context, session);
      if (status === "idle") await send(session);
    }
    await sleep(30 + random() * 220);
    if (killed + paused >= kills) continue;
    const index = Math.floor(random() * WORKERS);
    if (random() < 0.25) await pause(index);
    else await kill(index);
    process.stderr.write(`\r  ${killed} killed, ${paused} paused, ${completedSteps()} steps   `);
  }
  process.stderr.write("\n  letting the sessions finish\n");
  for (const session of sessions) {
    while ((await runtime.sessions.get(context, session)).status !== "idle") await sleep(50);
  }
} finally {
  for (const worker of workers) worker.kill("SIGKILL");
}

const histories = new Map<string, readonly SessionEvent[]>();
for (const session of sessions) histories.set(session, await history(session));
const findings = check(folder, histories, sent);
database.close();
await rm(folder, { recursive: true, force: true });
console.log(
  JSON.stringify({ campaign: "crash", profile: values.profile, seed, kills: killed, pauses: paused, ...findings }),
);
const { lost, gaps, doubleCompletions, interleavedWriters, wrongLists, effectsMissing } = findings;
if (lost + gaps + doubleCompletions + interleavedWriters + wrongLists + effectsMissing > 0) process.exitCode = 1;

async function send(session: string): Promise<void> {
  const { seq } = await runtime.sessions.send(context, session, { type: "user.message", body: { go: true } });
  sent.set(`${session} ${seq}`, session);
}

async function kill(index: number): Promise<void> {
  const worker = workers[index];
  if (worker === undefined) return;
  worker.kill("SIGKILL");
  if (worker.exitCode === null && worker.signalCode === null) await once(worker, "exit");
  workers[index] = launch();
  killed += 1;
}

/** Past its lease, so that another worker takes its sessions over; then it wakes up as a zombie. */
async function pause(index: number): Promise<void> {
  workers[index]?.kill("SIGSTOP");
  await sleep(LEASE_MS * (1.2 + random()));
  workers[index]?.kill("SIGCONT");
  paused += 1;
}

async function history(session: string): Promise<readonly SessionEvent[]> {
  const events: SessionEvent[] = [];
  for (;;) {
    const page = await log.read(context, session, { after: events.length, limit: 1000 });
    events.push(...page);
    if (page.length === 0) return events;
  }
}

function completedSteps(): number {
  const row = database.prepare("SELECT count(*) AS steps FROM runtime_event WHERE type = 'step.completed'").get();
  return (row as { steps: number }).steps;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A small seeded generator: the schedule of kills repeats, the interleaving of processes does not. */
function mulberry32(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
