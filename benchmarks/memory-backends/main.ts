/** The same corpus and queries on every backend: the top 50 must be identical; times are beside the point but shown. */
import { isDeepStrictEqual } from "node:util";
import { InMemoryMemoryStore, Memory, type MemoryStore } from "@ashlar/memory";
import { PostgresMemoryStore } from "@ashlar/memory/postgres";
import { RedisMemoryStore } from "@ashlar/memory/redis";
import { SqliteMemoryStore } from "@ashlar/memory/sqlite";
import { ManualClock, SequentialIds } from "@ashlar/memory/testing";
import Database from "better-sqlite3";
import { Redis } from "ioredis";
import { startPostgres } from "../../test/support/postgres.ts";
import { startRedis } from "../../test/support/redis.ts";
import { report, round, spread } from "../support/measure.ts";
import { randomText } from "../support/random-text.ts";

const EVENTS = Number(process.argv[2] ?? 2_000);
const server = await startRedis();
const client = new Redis(server.path);
const postgres = await startPostgres();
const pool = await postgres.pool("bench", { max: 4 });
const stores: Record<string, MemoryStore> = {
  "in-memory": new InMemoryMemoryStore(),
  sqlite: new SqliteMemoryStore({ database: new Database(":memory:") }),
  redis: new RedisMemoryStore({ client }),
  postgres: new PostgresMemoryStore({ pool }),
};
const context = { principal: { tenant: "bench" } };
const answers: Record<string, unknown> = {};
const byBackend: Record<string, object> = {};

for (const [name, store] of Object.entries(stores)) {
  const memory = new Memory({ store, clock: new ManualClock(), ids: new SequentialIds() });
  const text = randomText(7);
  const started = performance.now();
  for (let index = 0; index < EVENTS; index++) {
    const where = { actor: "a", session: `s${index % 40}`, speaker: index % 2 === 0 ? "Ada" : "Ben" };
    await memory.events.append(context, "m", { ...where, role: "user", text: text(5 + (index % 90)) });
  }
  const appended = performance.now() - started;
  const samples: number[] = [];
  const hits: unknown[] = [];
  for (let query = 0; query < 200; query++) {
    const words = text(2 + (query % 6));
    const start = performance.now();
    hits.push(await memory.search(context, "m", { text: words, topK: 50 }));
    samples.push(performance.now() - start);
  }
  answers[name] = hits;
  const { p50, p99 } = spread(samples);
  byBackend[name] = {
    appendPerSecond: round((EVENTS / appended) * 1e3),
    queryP50Ms: round(p50),
    queryP99Ms: round(p99),
  };
}
client.disconnect();
await server.stop();
await pool.end();
await postgres.stop();

const identicalTop50 = Object.values(answers).every((each) => isDeepStrictEqual(each, answers["in-memory"]));
report(
  "memory-backends",
  Object.entries(byBackend).map(([backend, row]) => ({ backend, ...row })),
  { identicalTop50, byBackend },
);
process.exitCode = identicalTop50 ? 0 : 1;
