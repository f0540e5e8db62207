import { type Clock, type IdSource, systemClock, systemIds } from "../dialect.ts";
import { backend } from "../internal/driver-errors.ts";
import { laneKey, laneOf } from "../internal/lane-key.ts";
import { Signal } from "../internal/signal.ts";
import { migrate, type SqliteDatabase, type SqliteStatement } from "../internal/sqlite.ts";
import type { Job, Lane, LaneDepth, LaneState, Taken, TakenJob, TakeOptions, WorkQueue } from "../work-queue.ts";
import { type Durability, prepareDatabase, WORK_QUEUE_SCHEMA } from "./schema.ts";

export interface SqliteWorkQueueDeps {
  /** A better-sqlite3 `Database`; whoever opened it closes it. May be the session log's. */
  readonly database: SqliteDatabase;
  readonly clock?: Clock;
  readonly ids?: IdSource;
  readonly durability?: Durability;
}

interface WorkingRow {
  readonly session: string;
  readonly lane: string;
  readonly available_at: number;
  readonly again_lane: string | null;
  readonly again_at: number | null;
}

/** `wakeup` hears only this process: workers of other processes find work when they next look. */
export class SqliteWorkQueue implements WorkQueue {
  readonly #database: SqliteDatabase;
  readonly #clock: Clock;
  readonly #ids: IdSource;
  readonly #signal = new Signal();
  readonly #statements = new Map<string, SqliteStatement>();

  constructor({ database, clock = systemClock, ids = systemIds, durability = "normal" }: SqliteWorkQueueDeps) {
    this.#database = database;
    this.#clock = clock;
    this.#ids = ids;
    prepareDatabase(database, durability);
    migrate(database, WORK_QUEUE_SCHEMA);
  }

  async put(jobs: readonly Job[]): Promise<void> {
    this.#reclaim();
    this.#write(() => {
      for (const { session, lane, availableAt } of jobs) {
        const again = this.#sql(
          "UPDATE runtime_working SET again_lane = ?, again_at = min(coalesce(again_at, ?), ?) WHERE session = ?",
        ).run(laneKey(lane), availableAt, availableAt, session);
        if (again.changes === 0) this.#wait(session, laneKey(lane), availableAt);
      }
    });
    this.#signal.raise();
  }

  async remove(session: string): Promise<void> {
    this.#write(() => {
      this.#sql("DELETE FROM runtime_job WHERE session = ?").run(session);
      this.#sql("UPDATE runtime_working SET again_lane = NULL, again_at = NULL WHERE session = ?").run(session);
    });
  }

  async lanes(): Promise<readonly LaneState[]> {
    this.#reclaim();
    // Steps from lane to lane along the index: the cost is of lanes, not of jobs.
    const rows = this.#sql(
      `WITH RECURSIVE step (lane) AS (
         SELECT min(lane) FROM runtime_job UNION ALL
         SELECT (SELECT min(lane) FROM runtime_job WHERE runtime_job.lane > step.lane) FROM step WHERE step.lane IS NOT NULL
       ) SELECT lane, (SELECT min(available_at) FROM runtime_job WHERE runtime_job.lane = step.lane) AS nextAt
       FROM step WHERE lane IS NOT NULL`,
    ).all() as { lane: string; nextAt: number }[];
    return rows.map(({ lane, nextAt }) => ({ lane: laneOf(lane), nextAt }));
  }

  async take(lane: Lane, { owner, count, concurrency, rates }: TakeOptions): Promise<Taken> {
    this.#reclaim();
    return this.#write(() => {
      const now = this.#clock.now();
      const key = laneKey(lane);
      const jobs: TakenJob[] = [];
      while (jobs.length < count) {
        const next = this.#sql(
          "SELECT session, available_at FROM runtime_job WHERE lane = ? AND available_at <= ? ORDER BY available_at LIMIT 1",
        ).get(key, now) as { session: string; available_at: number } | undefined;
        if (next === undefined) break;
        const limited = this.#limited(concurrency, rates, now);
        if (limited !== undefined) return { jobs, limited };
        const token = this.#ids.next("job");
        this.#sql("DELETE FROM runtime_job WHERE session = ?").run(next.session);
        this.#sql("INSERT OR REPLACE INTO runtime_working VALUES (?, ?, ?, ?, ?, NULL, NULL)").run(
          ...[next.session, key, next.available_at, token, owner],
        );
        for (const each of concurrency) {
          this.#sql("INSERT OR IGNORE INTO runtime_held VALUES (?, ?)").run(each.key, next.session);
        }
        for (const { key, limit, perMs } of rates) {
          this.#sql(
            `INSERT INTO runtime_rate VALUES (@key, @now + @each)
             ON CONFLICT (key) DO UPDATE SET arrival = max(arrival, @now) + @each`,
          ).run({ key, now, each: perMs / limit });
        }
        jobs.push({ session: next.session, lane, availableAt: next.available_at, token });
      }
      return { jobs };
    });
  }

  async finish({ session, token }: TakenJob): Promise<void> {
    this.#write(() => {
      const row = this.#free(session, token);
      if (row?.again_lane != null) this.#wait(session, row.again_lane, row.again_at ?? this.#clock.now());
    });
    this.#signal.raise();
  }

  async putBack({ session, token }: TakenJob, availableAt: number): Promise<void> {
    this.#write(() => {
      const row = this.#free(session, token);
      if (row === undefined) return;
      this.#wait(session, row.again_lane ?? row.lane, Math.min(availableAt, row.again_at ?? availableAt));
    });
    this.#signal.raise();
  }

  async renew(owner: string, leaseMs: number): Promise<void> {
    backend("work queue", () =>
      this.#sql("INSERT OR REPLACE INTO runtime_queue_lease VALUES (?, ?)").run(owner, this.#clock.now() + leaseMs),
    );
  }

  async expire(owner: string): Promise<void> {
    backend("work queue", () => this.#sql("DELETE FROM runtime_queue_lease WHERE owner = ?").run(owner));
    this.#reclaim();
    this.#signal.raise();
  }

  async depth(): Promise<readonly LaneDepth[]> {
    this.#reclaim();
    const rows = this.#sql(
      `SELECT lane, sum(waiting) AS waiting, sum(working) AS working, min(oldest) AS oldestAt FROM (
         SELECT lane, 1 AS waiting, 0 AS working, available_at AS oldest FROM runtime_job
         UNION ALL SELECT lane, 0, 1, NULL FROM runtime_working) GROUP BY lane`,
    ).all() as { lane: string; waiting: number; working: number; oldestAt: number | null }[];
    return rows.map(({ lane, oldestAt, ...counts }) => ({
      lane: laneOf(lane),
      ...counts,
      ...(oldestAt === null ? {} : { oldestAt }),
    }));
  }

  wakeup(signal: AbortSignal): Promise<void> {
    return this.#signal.wait(signal);
  }

  async close(): Promise<void> {
    this.#statements.clear();
  }

  #write<T>(body: () => T): T {
    return backend("work queue", () => this.#database.transaction(body).immediate());
  }

  #sql(source: string): SqliteStatement {
    let statement = this.#statements.get(source);
    if (statement === undefined) {
      statement = this.#database.prepare(source);
      this.#statements.set(source, statement);
    }
    return statement;
  }

  #wait(session: string, lane: string, availableAt: number): void {
    this.#sql(
      `INSERT INTO runtime_job VALUES (?, ?, ?) ON CONFLICT (session) DO UPDATE SET lane = excluded.lane,
       available_at = min(available_at, excluded.available_at)`,
    ).run(session, lane, availableAt);
  }

  #free(session: string, token: string): WorkingRow | undefined {
    const row = this.#sql("DELETE FROM runtime_working WHERE session = ? AND token = ? RETURNING *").get(
      session,
      token,
    );
    if (row !== undefined) this.#sql("DELETE FROM runtime_held WHERE session = ?").run(session);
    return row as WorkingRow | undefined;
  }

  #limited(concurrency: TakeOptions["concurrency"], rates: TakeOptions["rates"], now: number): Taken["limited"] {
    for (const { key, limit } of concurrency) {
      const { held } = this.#sql("SELECT count(*) AS held FROM runtime_held WHERE key = ?").get(key) as {
        held: number;
      };
      if (held >= limit) return { key };
    }
    for (const { key, limit, perMs } of rates) {
      const row = this.#sql("SELECT arrival FROM runtime_rate WHERE key = ?").get(key) as
        | { arrival: number }
        | undefined;
      const freeAt = (row?.arrival ?? 0) - perMs + perMs / limit;
      if (freeAt > now) return { key, until: Math.ceil(freeAt) };
    }
    return undefined;
  }

  #reclaim(): void {
    const lost = `FROM runtime_working WHERE NOT EXISTS
      (SELECT 1 FROM runtime_queue_lease WHERE runtime_queue_lease.owner = runtime_working.owner AND expires_at > ?)`;
    if (this.#sql(`SELECT 1 ${lost} LIMIT 1`).get(this.#clock.now()) === undefined) return;
    this.#write(() => {
      for (const row of this.#sql(`SELECT * ${lost}`).all(this.#clock.now()) as WorkingRow[]) {
        this.#sql("DELETE FROM runtime_working WHERE session = ?").run(row.session);
        this.#sql("DELETE FROM runtime_held WHERE session = ?").run(row.session);
        this.#wait(
          row.session,
          row.again_lane ?? row.lane,
          Math.min(row.available_at, row.again_at ?? row.available_at),
        );
      }
    });
  }
}
