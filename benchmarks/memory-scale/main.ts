/** Many records over many scopes in one SQLite file; appends beside bare better-sqlite3 that writes the same rows. */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Batch, Memory, type MemoryStore, type Scope } from "@ashlar/memory";
import { SqliteMemoryStore } from "@ashlar/memory/sqlite";
import Database from "better-sqlite3";
import { interleaved, report, round, spread } from "../support/measure.ts";
import { randomText } from "../support/random-text.ts";

const SCOPES = Number(process.argv[3] ?? 1_000);
const RECORDS = Number(process.argv[2] ?? 1_000_000);
const folder = mkdtempSync(join(tmpdir(), "ashlar-bench-"));
const open = (name: string) => {
  const database = new Database(join(folder, name));
  database.pragma("synchronous = NORMAL");
  database.pragma("cache_size = -262144");
  return database;
};

try {
  const path = join(folder, "scale.db");
  const database = open("scale.db");
  const memory = new Memory({ store: new SqliteMemoryStore({ database }) });
  const text = randomText(11);
  const context = (scope: number) => ({ principal: { tenant: `tenant-${scope}` } });
  const started = performance.now();
  database.pragma("synchronous = OFF");
  for (let written = 0; written < RECORDS; ) {
    for (let scope = 0; scope < SCOPES && written < RECORDS; scope++) {
      const batch = Math.min(100, Math.ceil(RECORDS / SCOPES), RECORDS - written);
      const records = Array.from({ length: batch }, () => ({ text: text(20) }));
      await memory.records.createMany(context(scope), "m", records);
      written += batch;
    }
    process.stderr.write(`\r  ${written} records after ${Math.round((performance.now() - started) / 1e3)} s   `);
  }
  database.pragma("synchronous = NORMAL");
  database.pragma("wal_checkpoint(TRUNCATE)");
  process.stderr.write("\n");

  const samples: number[] = [];
  for (let query = 0; query < 3_000; query++) {
    const at = context((query * 7_919) % SCOPES);
    const words = text(4);
    const start = performance.now();
    await memory.search(at, "m", { text: words, sources: ["records"] });
    samples.push(performance.now() - start);
  }

  const turn = (index: number) => ({ actor: "a", session: "s", role: "user", at: index, text: text(20) }) as const;
  const COUNT = 1_500;
  const recorded = await record(COUNT, turn);
  const files = { count: 0 };
  const speeds = await interleaved(5, {
    ashlar: async () => {
      const own = open(`own-${files.count++}.db`);
      const events = new Memory({ store: new SqliteMemoryStore({ database: own }) }).events;
      const start = performance.now();
      for (let index = 0; index < COUNT; index++) await events.append(context(0), "m", turn(index));
      const perSecond = (COUNT / (performance.now() - start)) * 1e3;
      own.close();
      return perSecond;
    },
    bare: async () => {
      const own = open(`bare-${files.count++}.db`);
      const start = performance.now();
      bare(own, recorded);
      const perSecond = (COUNT / (performance.now() - start)) * 1e3;
      own.close();
      return perSecond;
    },
  });

  const last: number[] = [];
  for (let index = 0; index < 20; index++) await memory.events.append(context(0), "m", turn(index));
  for (let read = 0; read < 1_000; read++) {
    const start = performance.now();
    await memory.events.list(context(0), "m", { actor: "a", session: "s", limit: 20, reverse: true });
    last.push(performance.now() - start);
  }
  const { p50, p99 } = spread(samples);
  const figures = {
    records: RECORDS,
    scopes: SCOPES,
    queryP50Ms: round(p50),
    queryP99Ms: round(p99),
    appendPerSecond: round(speeds.ashlar.p50),
    ratioToBareSqlite: round(speeds.ashlar.p50 / speeds.bare.p50),
    bytesPerRecord: Math.round(statSync(path).size / RECORDS),
    last20P50Ms: round(spread(last).p50),
  };
  database.close();
  report(
    "memory-scale",
    [{ ...figures, appendSpread: `${round(speeds.ashlar.min)} to ${round(speeds.ashlar.max)}` }],
    figures,
  );
} finally {
  rmSync(folder, { recursive: true });
}

/** The batches that the service commits for `count` turns. */
async function record(
  count: number,
  turn: (index: number) => Parameters<Memory["events"]["append"]>[2],
): Promise<Batch[]> {
  const batches: Batch[] = [];
  const database = new Database(":memory:");
  const inner = new SqliteMemoryStore({ database });
  const store = new Proxy(inner, {
    get(target, name) {
      if (name === "commit") {
        return (scope: Scope, batch: Batch) => {
          batches.push(batch);
          return target.commit(scope, batch);
        };
      }
      const value = Reflect.get(target, name) as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  }) as MemoryStore;
  const { events } = new Memory({ store });
  for (let index = 0; index < count; index++) await events.append({ principal: { tenant: "t" } }, "m", turn(index));
  database.close();
  return batches;
}

/** The same rows by hand, a row for each posting: prepared statements, one transaction an event, no questions asked. */
function bare(database: Database.Database, batches: readonly Batch[]): void {
  database.pragma("journal_mode = WAL");
  database.exec(`
    CREATE TABLE memory_scopes (id INTEGER PRIMARY KEY, tenant TEXT, memory TEXT, version INTEGER, UNIQUE (tenant, memory));
    CREATE TABLE memory_entries (scope INTEGER, key TEXT, value TEXT, PRIMARY KEY (scope, key)) WITHOUT ROWID;
    CREATE TABLE memory_counters (scope INTEGER, counter TEXT, value INTEGER, PRIMARY KEY (scope, counter)) WITHOUT ROWID;
    CREATE TABLE memory_postings (
      scope INTEGER, term TEXT, document INTEGER, frequency INTEGER, length INTEGER, PRIMARY KEY (scope, term, document)
    ) WITHOUT ROWID;
  `);
  const put = database.prepare("INSERT OR REPLACE INTO memory_entries VALUES (1, ?, ?)");
  const add = database.prepare(
    "INSERT INTO memory_counters VALUES (1, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
  );
  const post = database.prepare("INSERT OR REPLACE INTO memory_postings VALUES (1, ?, ?, ?, ?)");
  const touch = database.prepare("UPDATE memory_scopes SET version = version + 1 WHERE id = 1");
  database.exec("INSERT INTO memory_scopes VALUES (1, 't', 'm', 0)");
  const write = database.transaction((batch: Batch) => {
    for (const { key, value } of batch.put ?? []) put.run(key, value);
    for (const { counter, by } of batch.add ?? []) add.run(counter, by);
    for (const { term, document, frequency, length } of batch.post ?? []) post.run(term, document, frequency, length);
    touch.run();
  });
  for (const batch of batches) write.immediate(batch);
}
