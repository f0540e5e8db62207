import { type Clock, type IdSource, systemIds } from "../dialect.ts";
import { laneKey, laneOf } from "../internal/lane-key.ts";
import { Signal } from "../internal/signal.ts";
import type { Job, Lane, LaneDepth, LaneState, Taken, TakenJob, TakeOptions, WorkQueue } from "../work-queue.ts";
import { Connection } from "./connection.ts";
import { type Notices, noticesOf } from "./notices.ts";
import type { PostgresPool } from "./postgres-client.ts";
import { WORK_QUEUE_SCHEMA } from "./schema.ts";

export interface PostgresWorkQueueDeps {
  /** A `Pool` of pg, which may be the session log's; whoever opened it closes it. `wakeup` keeps one connection of it. */
  readonly pool: PostgresPool;
  /** Default: the server's own, so that no worker's clock decides over a lease. */
  readonly clock?: Clock;
  readonly ids?: IdSource;
}

interface Row {
  readonly session: string | null;
  readonly available_at: number;
  readonly token: string;
  readonly limited: string | null;
  readonly until: number | null;
}

const sources = {
  put: "SELECT runtime_job_put($1, $2)",
  remove: "UPDATE runtime_job SET again_lane = NULL, again_at = NULL WHERE session = $1 AND token IS NOT NULL",
  removeWaiting: "DELETE FROM runtime_job WHERE session = $1 AND token IS NULL",
  lanes: 'SELECT lane, next_at AS "nextAt" FROM runtime_job_lanes($1)',
  take: "SELECT * FROM runtime_job_take($1, $2, $3, $4, $5, $6)",
  giveBack: "SELECT news FROM runtime_job_give_back($1, $2, $3)",
  renew: `
    INSERT INTO runtime_queue_lease VALUES ($1, runtime_queue_now($3) + $2)
    ON CONFLICT (owner) DO UPDATE SET expires_at = excluded.expires_at`,
  expire: "DELETE FROM runtime_queue_lease WHERE owner = $1",
  reclaim: "SELECT runtime_job_reclaim(runtime_queue_now($1))",
  depth: `
    SELECT lane, count(*) FILTER (WHERE token IS NULL)::int AS waiting,
      count(*) FILTER (WHERE token IS NOT NULL)::int AS working,
      min(available_at) FILTER (WHERE token IS NULL) AS "oldestAt"
    FROM runtime_job GROUP BY lane`,
};

/** Rows taken with `FOR UPDATE SKIP LOCKED`; `wakeup` hears other processes through `LISTEN`. */
export class PostgresWorkQueue implements WorkQueue {
  readonly #connection: Connection;
  readonly #notices: Notices;
  readonly #clock: Clock | undefined;
  readonly #ids: IdSource;
  readonly #signal = new Signal();
  #listening: Promise<AsyncDisposable> | undefined;

  constructor({ pool, clock, ids = systemIds }: PostgresWorkQueueDeps) {
    this.#connection = new Connection("work queue", pool, WORK_QUEUE_SCHEMA);
    this.#notices = noticesOf(pool);
    this.#clock = clock;
    this.#ids = ids;
  }

  async put(jobs: readonly Job[]): Promise<void> {
    const merged = new Map<string, { session: string; lane: string; available_at: number }>();
    for (const { session, lane, availableAt } of jobs) {
      const earlier = merged.get(session)?.available_at ?? availableAt;
      merged.set(session, { session, lane: laneKey(lane), available_at: Math.min(availableAt, earlier) });
    }
    await this.#connection.rows(sources.put, JSON.stringify([...merged.values()]), this.#now());
    this.#announce();
  }

  async remove(session: string): Promise<void> {
    await this.#connection.rows(sources.removeWaiting, session);
    await this.#connection.rows(sources.remove, session);
  }

  async lanes(): Promise<readonly LaneState[]> {
    const rows = await this.#connection.rows<{ lane: string; nextAt: number }>(sources.lanes, this.#now());
    return rows.map(({ lane, nextAt }) => ({ lane: laneOf(lane), nextAt }));
  }

  async take(lane: Lane, { owner, count, concurrency, rates }: TakeOptions): Promise<Taken> {
    const tokens = Array.from({ length: count }, () => this.#ids.next("job"));
    const rows = await this.#connection.rows<Row>(
      sources.take,
      ...[laneKey(lane), owner, tokens, JSON.stringify(concurrency), JSON.stringify(rates), this.#now()],
    );
    const jobs = rows.flatMap(({ session, available_at: availableAt, token }): TakenJob[] =>
      session === null ? [] : [{ session, lane, availableAt, token }],
    );
    const { limited: key, until } = rows.at(-1) ?? {};
    if (key === undefined || key === null) return { jobs };
    return { jobs, limited: until === undefined || until === null ? { key } : { key, until } };
  }

  async finish(job: TakenJob): Promise<void> {
    await this.#giveBack(job);
  }

  async putBack(job: TakenJob, availableAt: number): Promise<void> {
    await this.#giveBack(job, availableAt);
  }

  async renew(owner: string, leaseMs: number): Promise<void> {
    await this.#connection.rows(sources.renew, owner, leaseMs, this.#now());
  }

  async expire(owner: string): Promise<void> {
    await this.#connection.rows(sources.expire, owner);
    await this.#connection.rows(sources.reclaim, this.#now());
    this.#announce();
  }

  async depth(): Promise<readonly LaneDepth[]> {
    await this.#connection.rows(sources.reclaim, this.#now());
    const rows = await this.#connection.rows<{
      lane: string;
      waiting: number;
      working: number;
      oldestAt: number | null;
    }>(sources.depth);
    return rows.map(({ lane, oldestAt, ...counts }) => ({
      lane: laneOf(lane),
      ...counts,
      ...(oldestAt === null ? {} : { oldestAt }),
    }));
  }

  wakeup(signal: AbortSignal): Promise<void> {
    this.#listening ??= this.#notices.listen(CHANNEL, () => this.#signal.raise());
    return this.#signal.wait(signal);
  }

  async close(): Promise<void> {
    this.#connection.close();
    await (await this.#listening)?.[Symbol.asyncDispose]();
  }

  /** Who has a free place has taken what he may: only a job that waits again, or a limit that is free again, is news. */
  async #giveBack({ session, token }: TakenJob, availableAt?: number): Promise<void> {
    const given = await this.#connection.row<{ news: boolean }>(sources.giveBack, session, token, availableAt);
    if (given?.news) this.#announce();
    else this.#signal.raise();
  }

  /** Here at once; elsewhere as soon as the server passes it on, and nobody waits for that. */
  #announce(): void {
    this.#signal.raise();
    this.#notices.send(CHANNEL, "");
  }

  #now(): number | undefined {
    return this.#clock?.now();
  }
}

const CHANNEL = "ashlar_work";
