/** One worker process of the campaign: `worker.ts <folder>`. It runs until it is killed. */
import { join } from "node:path";
import { Runtime } from "@ashlar/runtime";
import { SqliteSessionLog, SqliteWorkQueue } from "@ashlar/runtime/sqlite";
import Database from "better-sqlite3";
import { walker } from "./agent.ts";

const [folder = ""] = process.argv.slice(2);
const database = new Database(join(folder, "runtime.db"));
const runtime = new Runtime({
  log: new SqliteSessionLog({ database }),
  queue: new SqliteWorkQueue({ database }),
  agents: [walker(folder)],
  concurrency: 8,
  leaseMs: 1_000,
  sweepMs: 50,
  maxCrashes: 1_000_000,
});
await runtime.start();
