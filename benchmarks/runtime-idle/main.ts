/** Many idle sessions in one file: bytes of each, and how long one takes to wake. `runtime-idle [sessions]`. */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Runtime } from "@ashlar/runtime";
import { SqliteSessionLog, SqliteWorkQueue } from "@ashlar/runtime/sqlite";
import Database from "better-sqlite3";
import { report, round, spread } from "../support/measure.ts";

const SESSIONS = Number(process.argv[2] ?? 1_000_000);
const WAKES = 1_000;
const context = { principal: { tenant: "bench" } };
const folder = await mkdtemp(join(tmpdir(), "ashlar-bench-"));
const path = join(folder, "idle.db");
const database = new Database(path);
const runtime = new Runtime({
  log: new SqliteSessionLog({ database }),
  queue: new SqliteWorkQueue({ database }),
  agents: [{ name: "sleeper", run: async () => ({ awake: true }) }],
});

const ids: string[] = [];
const opening = performance.now();
for (let index = 0; index < SESSIONS; index++) {
  ids.push((await runtime.sessions.open(context, { agent: "sleeper" })).id);
  if (index % 10_000 === 0) process.stderr.write(`\r  ${index} of ${SESSIONS} opened `);
}
const openPerSecond = (SESSIONS / (performance.now() - opening)) * 1000;
process.stderr.write("\n");
database.pragma("wal_checkpoint(TRUNCATE)");
const bytesPerSession = (await stat(path)).size / SESSIONS;

await runtime.start();
const samples: number[] = [];
for (let wake = 0; wake < WAKES; wake++) {
  const id = ids[(wake * 7919) % ids.length] ?? "";
  const start = performance.now();
  const { seq } = await runtime.sessions.send(context, id, { type: "user.message", body: {} });
  for await (const event of runtime.sessions.events(context, id, { after: seq })) {
    if (event.type === "turn.started") break;
  }
  samples.push(performance.now() - start);
}
await runtime.close();
database.close();
await rm(folder, { recursive: true, force: true });
const wake = spread(samples);
report("runtime-idle", [{ sessions: SESSIONS, "wake p50 ms": round(wake.p50), "wake p99 ms": round(wake.p99) }], {
  sessions: SESSIONS,
  bytesPerSession: Math.round(bytesPerSession),
  wakeP99Ms: round(wake.p99),
  openPerSecond: Math.round(openPerSecond),
});
