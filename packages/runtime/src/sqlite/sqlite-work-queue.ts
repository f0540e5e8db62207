import { type Clock, type IdSource, systemClock, systemIds } from "../dialect.ts";
import { laneKey, laneOf } from "../internal/lane-key.ts";
import { Signal } from "../internal/signal.ts";
import type { SqliteDatabase } from "../internal/sqlite.ts";
import type { Job, Lane, LaneDepth, LaneState, Taken, TakenJob, TakeOptions, WorkQueue } from "../work-queue.ts";
import { Connection, type Durability } from "./connection.ts";
import { WORK_QUEUE_SCHEMA } from "./schema.ts";

export interface SqliteWorkQueueDeps {
  /** A better-sqlite3 `Database`; whoever opened it closes it. May be the session log's. WAL is switched on. */
  readonly database: SqliteDatabase;
  readonly clock?: Clock;
  readonly ids?: IdSource;
  /** Default `normal`. `full` holds for the whole connection. */
  readonly durability?: Durability;
  /** How often `wakeup` looks whether another process has written to the file. Default 25. */
  readonly pollMs?: number;
}

interface WorkingRow {
  readonly session: string;
  readonly lane: string;
  readonly available_at: number;
  readonly again_lane: string | null;
  readonly again_at: number | null;
}

const LOST = `
  FROM runtime_working WHERE owner NOT IN (SELECT owner FROM runtime_queue_lease WHERE expires_at > ?)`;

const IN_FORCE = "SELECT 1 FROM runtime_queue_lease WHERE owner = ? AND expires_at > ?";

/** `wakeup` hears this process at once and other processes on the same file within `pollMs`. */
export class SqliteWorkQueue implements WorkQueue {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #ids: IdSource;
  readonly #pollMs: number;
  readonly #signal = new Signal();
  #seen: unknown;

  constructor({ database, clock = systemClock, ids = systemIds, durability, pollMs = 25 }: SqliteWorkQueueDeps) {
    this.#connection = new Connection("work queue", database, WORK_QUEUE_SCHEMA, durability);
    this.#clock = clock;
    this.#ids = ids;
    this.#pollMs = pollMs;
    this.#seen = this.#connection.version;
  }

  async put(jobs: readonly Job[]): Promise<void> {
    this.#connection.write(() => {
      this.#reclaim();
      for (const { session, lane, availableAt } of jobs) {
        const again = this.#connection
          .sql("UPDATE runtime_working SET again_lane = ?, again_at = min(coalesce(again_at, ?), ?) WHERE session = ?")
          .run(laneKey(lane), availableAt, availableAt, session);
        if (again.changes === 0) this.#wait(session, laneKey(lane), availableAt);
      }
    });
    this.#signal.raise();
  }

  async remove(session: string): Promise<void> {
    this.#connection.write(() => {
      this.#connection.sql("DELETE FROM runtime_job WHERE session = ?").run(session);
      this.#connection
        .sql("UPDATE runtime_working SET again_lane = NULL, again_at = NULL WHERE session = ?")
        .run(session);
    });
  }

  async lanes(): Promise<readonly LaneState[]> {
    this.#reclaimLost();
    // Steps from lane to lane along the index: the cost is of lanes, not of jobs.
    const rows = this.#connection.run(() =>
      this.#connection
        .sql(
          `WITH RECURSIVE step (at) AS (
             SELECT min(lane) FROM runtime_job UNION ALL
             SELECT (SELECT min(lane) FROM runtime_job WHERE lane > at) FROM step WHERE at IS NOT NULL)
           SELECT at AS lane, (SELECT min(available_at) FROM runtime_job WHERE lane = at) AS nextAt
           FROM step WHERE at IS NOT NULL`,
        )
        .all(),
    ) as { lane: string; nextAt: number }[];
    return rows.map(({ lane, nextAt }) => ({ lane: laneOf(lane), nextAt }));
  }

  async take(lane: Lane, { owner, count, concurrency, rates }: TakeOptions): Promise<Taken> {
    return this.#connection.write(() => {
      this.#reclaim();
      const now = this.#clock.now();
      const jobs: TakenJob[] = [];
      if (this.#connection.sql(IN_FORCE).get(owner, now) === undefined) return { jobs };
      while (jobs.length < count) {
        const next = this.#first(laneKey(lane), now);
        if (next === undefined) break;
        const limited = this.#limited(concurrency, rates, now);
        if (limited !== undefined) return { jobs, limited };
        const job = { session: next.session, lane, availableAt: next.available_at, token: this.#ids.next("job") };
        this.#hold(job, owner, concurrency);
        for (const { key, limit, perMs } of rates) {
          this.#connection
            .sql(
              `INSERT INTO runtime_rate VALUES (@key, @now + @each)
               ON CONFLICT (key) DO UPDATE SET arrival = max(arrival, @now) + @each`,
            )
            .run({ key, now, each: perMs / limit });
        }
        jobs.push(job);
      }
      return { jobs };
    });
  }

  async finish({ session, token }: TakenJob): Promise<void> {
    this.#connection.write(() => {
      const row = this.#free(session, token);
      if (row !== undefined && row.again_lane !== null) this.#wait(session, row.again_lane, row.again_at ?? 0);
    });
    this.#signal.raise();
  }

  async putBack({ session, token }: TakenJob, availableAt: number): Promise<void> {
    this.#connection.write(() => {
      const row = this.#free(session, token);
      if (row === undefined) return;
      this.#wait(session, row.again_lane ?? row.lane, Math.min(availableAt, row.again_at ?? availableAt));
    });
    this.#signal.raise();
  }

  async renew(owner: string, leaseMs: number): Promise<void> {
    this.#connection.run(() =>
      this.#connection
        .sql("INSERT OR REPLACE INTO runtime_queue_lease VALUES (?, ?)")
        .run(owner, this.#clock.now() + leaseMs),
    );
  }

  async expire(owner: string): Promise<void> {
    this.#connection.write(() => {
      this.#connection.sql("DELETE FROM runtime_queue_lease WHERE owner = ?").run(owner);
      this.#reclaim();
    });
    this.#signal.raise();
  }

  async depth(): Promise<readonly LaneDepth[]> {
    this.#reclaimLost();
    const rows = this.#connection.run(() =>
      this.#connection
        .sql(
          `SELECT lane, sum(waiting) AS waiting, sum(working) AS working, min(oldest) AS oldestAt FROM (
             SELECT lane, 1 AS waiting, 0 AS working, available_at AS oldest FROM runtime_job
             UNION ALL SELECT lane, 0, 1, NULL FROM runtime_working) GROUP BY lane`,
        )
        .all(),
    ) as { lane: string; waiting: number; working: number; oldestAt: number | null }[];
    return rows.map(({ lane, oldestAt, ...counts }) => ({
      lane: laneOf(lane),
      ...counts,
      ...(oldestAt === null ? {} : { oldestAt }),
    }));
  }

  async wakeup(signal: AbortSignal): Promise<void> {
    const done = new AbortController();
    const until = AbortSignal.any([signal, done.signal]);
    try {
      await Promise.race([this.#signal.wait(until), this.#writtenElsewhere(until)]);
    } finally {
      done.abort();
    }
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  /** Raises the signal, so that everyone who waits hears what one has seen. */
  async #writtenElsewhere(signal: AbortSignal): Promise<void> {
    while (this.#connection.version === this.#seen) await this.#clock.sleep(this.#pollMs, { signal });
    this.#seen = this.#connection.version;
    this.#signal.raise();
  }

  #first(lane: string, now: number): { readonly session: string; readonly available_at: number } | undefined {
    return this.#connection
      .sql(
        `SELECT session, available_at FROM runtime_job WHERE lane = ? AND available_at <= ?
         ORDER BY available_at LIMIT 1`,
      )
      .get(lane, now) as { session: string; available_at: number } | undefined;
  }

  #wait(session: string, lane: string, availableAt: number): void {
    this.#connection
      .sql(
        `INSERT INTO runtime_job VALUES (?, ?, ?) ON CONFLICT (session) DO UPDATE SET lane = excluded.lane,
         available_at = min(available_at, excluded.available_at)`,
      )
      .run(session, lane, availableAt);
  }

  #hold(job: TakenJob, owner: string, concurrency: TakeOptions["concurrency"]): void {
    this.#connection.sql("DELETE FROM runtime_job WHERE session = ?").run(job.session);
    this.#connection
      .sql("INSERT INTO runtime_working VALUES (?, ?, ?, ?, ?, NULL, NULL)")
      .run(job.session, laneKey(job.lane), job.availableAt, job.token, owner);
    for (const { key } of concurrency) {
      this.#connection.sql("INSERT OR IGNORE INTO runtime_held VALUES (?, ?)").run(key, job.session);
    }
  }

  #free(session: string, token: string): WorkingRow | undefined {
    const row = this.#connection
      .sql("DELETE FROM runtime_working WHERE session = ? AND token = ? RETURNING *")
      .get(session, token);
    if (row !== undefined) this.#connection.sql("DELETE FROM runtime_held WHERE session = ?").run(session);
    return row as WorkingRow | undefined;
  }

  #limited(concurrency: TakeOptions["concurrency"], rates: TakeOptions["rates"], now: number): Taken["limited"] {
    for (const { key, limit } of concurrency) {
      const row = this.#connection.sql("SELECT count(*) AS held FROM runtime_held WHERE key = ?").get(key);
      if ((row as { held: number }).held >= limit) return { key };
    }
    for (const { key, limit, perMs } of rates) {
      const row = this.#connection.sql("SELECT arrival FROM runtime_rate WHERE key = ?").get(key);
      const freeAt = ((row as { arrival: number } | undefined)?.arrival ?? 0) - perMs + perMs / limit;
      if (freeAt > now) return { key, until: Math.ceil(freeAt) };
    }
    return undefined;
  }

  /** Takes the file's write lock only when there is something to reclaim. */
  #reclaimLost(): void {
    const lost = this.#connection.run(() => this.#connection.sql(`SELECT 1 ${LOST} LIMIT 1`).get(this.#clock.now()));
    if (lost !== undefined) this.#connection.write(() => this.#reclaim());
  }

  #reclaim(): void {
    for (const row of this.#connection.sql(`SELECT * ${LOST}`).all(this.#clock.now()) as WorkingRow[]) {
      this.#connection.sql("DELETE FROM runtime_working WHERE session = ?").run(row.session);
      this.#connection.sql("DELETE FROM runtime_held WHERE session = ?").run(row.session);
      this.#wait(row.session, row.again_lane ?? row.lane, Math.min(row.available_at, row.again_at ?? row.available_at));
    }
  }
}
