import { type Clock, type IdSource, systemIds } from "../dialect.ts";
import { laneKey, laneOf } from "../internal/lane-key.ts";
import { Signal } from "../internal/signal.ts";
import type { Job, Lane, LaneDepth, LaneState, Taken, TakenJob, TakeOptions, WorkQueue } from "../work-queue.ts";
import { type Channels, channelsOf } from "./channels.ts";
import { Connection, type RedisDurability } from "./connection.ts";
import { Gathered } from "./gathered.ts";
import * as scripts from "./queue-scripts.ts";
import type { RedisClient, RedisSubscriber } from "./redis-client.ts";
import type { Script } from "./script.ts";
import { spread, spreading } from "./spread.ts";

export interface RedisWorkQueueDeps {
  /** An ioredis `Redis` or `Cluster`. Whoever opened it closes it, after the queue. */
  readonly client: RedisClient;
  /** Hears when others put work in; without one a worker looks as often as it sweeps. `client.duplicate()` in ioredis. */
  readonly subscriber?: RedisSubscriber;
  /** Before every key; change it to let two deployments share a server. Default `ashlar:runtime:`. */
  readonly prefix?: string;
  /**
   * Over how many slots of a Cluster the tenants spread: the deployment's for good. Default 1, in which every limit holds
   * over everything; with more, a key that counts several tenants counts within their shard.
   */
  readonly shards?: number;
  /** Default `primary`: a job that a failover forgets is put in again from the log. */
  readonly durability?: RedisDurability;
  /** Default: the server's own, so that no worker's clock decides over a lease. */
  readonly clock?: Clock;
  readonly ids?: IdSource;
}

/** A job given back: until when it rests, or nothing when it is done. */
type Back = TakenJob & { readonly again: number | "" };

/** Sorted sets under one script per operation: what a job, a lane, a limit and a lease are is decided at once. */
export class RedisWorkQueue implements WorkQueue {
  readonly #connection: Connection;
  readonly #channels: Channels | undefined;
  readonly #shards: readonly string[];
  readonly #channel: string;
  readonly #clock: Clock | undefined;
  readonly #ids: IdSource;
  readonly #signal = new Signal();
  readonly #back: Gathered<Back>;
  #listening: Promise<AsyncDisposable> | undefined;

  constructor(deps: RedisWorkQueueDeps) {
    const { client, subscriber, prefix = "ashlar:runtime:", shards = 1, durability, clock, ids = systemIds } = deps;
    this.#connection = new Connection("work queue", client, durability);
    this.#channels = subscriber === undefined ? undefined : channelsOf(subscriber);
    this.#shards = spreading(`${prefix}queue:`, shards);
    this.#channel = `${prefix}work`;
    this.#clock = clock;
    this.#ids = ids;
    this.#back = new Gathered((given) => this.#giveBack(given));
  }

  async put(jobs: readonly Job[]): Promise<void> {
    const byShard = Map.groupBy(jobs, ({ lane }) => spread(this.#shards, lane.tenant));
    await Promise.all(
      [...byShard].map(([shard, own]) =>
        this.#run(
          scripts.put,
          shard,
          own.flatMap(({ session, lane, availableAt }) => [session, laneKey(lane), availableAt]),
        ),
      ),
    );
    this.#signal.raise();
  }

  async remove(session: string): Promise<void> {
    await this.#everywhere(scripts.remove, session);
  }

  async lanes(): Promise<readonly LaneState[]> {
    const flats = (await this.#everywhere(scripts.lanes)) as string[][];
    return flats.flatMap((flat) =>
      Array.from({ length: flat.length / 2 }, (_, at) => ({
        lane: laneOf(flat[2 * at] ?? ""),
        nextAt: Number(flat[2 * at + 1]),
      })),
    );
  }

  async take(lane: Lane, { owner, count, concurrency, rates }: TakeOptions): Promise<Taken> {
    const [flat, key, until] = (await this.#run(scripts.take, spread(this.#shards, lane.tenant), [
      ...[laneKey(lane), owner, concurrency.length, rates.length],
      ...concurrency.flatMap((each) => [each.key, each.limit]),
      ...rates.flatMap((each) => [each.key, each.limit, each.perMs]),
      ...Array.from({ length: count }, () => this.#ids.next("job")),
    ])) as [string[], string, string];
    const jobs = Array.from({ length: flat.length / 3 }, (_, at): TakenJob => {
      const [session = "", availableAt, token = ""] = flat.slice(3 * at, 3 * at + 3);
      return { session, lane, availableAt: Number(availableAt), token };
    });
    if (key === "") return { jobs };
    return { jobs, limited: until === "" ? { key } : { key, until: Number(until) } };
  }

  async finish(job: TakenJob): Promise<void> {
    await this.#back.add({ ...job, again: "" });
  }

  async putBack(job: TakenJob, availableAt: number): Promise<void> {
    await this.#back.add({ ...job, again: availableAt });
  }

  async renew(owner: string, leaseMs: number): Promise<void> {
    await this.#everywhere(scripts.renew, owner, leaseMs);
  }

  async expire(owner: string): Promise<void> {
    await this.#everywhere(scripts.expire, owner);
    this.#signal.raise();
  }

  async depth(): Promise<readonly LaneDepth[]> {
    const found = new Map<string, { lane: Lane; waiting: number; working: number; oldestAt?: number }>();
    for (const [flat, busy] of (await this.#everywhere(scripts.depth)) as [string[], string[]][]) {
      for (let at = 0; at < flat.length; at += 3) {
        const [lane = "", waiting, oldestAt] = flat.slice(at, at + 3);
        found.set(lane, { lane: laneOf(lane), waiting: Number(waiting), working: 0, oldestAt: Number(oldestAt) });
      }
      for (const lane of busy) {
        const entry = found.get(lane) ?? { lane: laneOf(lane), waiting: 0, working: 0 };
        entry.working += 1;
        found.set(lane, entry);
      }
    }
    return [...found.values()];
  }

  wakeup(signal: AbortSignal): Promise<void> {
    this.#listening ??= this.#channels?.listen(this.#channel, () => this.#signal.raise());
    return this.#signal.wait(signal);
  }

  async close(): Promise<void> {
    this.#connection.close();
    await (await this.#listening)?.[Symbol.asyncDispose]();
  }

  async #giveBack(given: readonly Back[]): Promise<void> {
    const byShard = Map.groupBy(given, ({ lane }) => spread(this.#shards, lane.tenant));
    await Promise.all(
      [...byShard].map(([shard, own]) =>
        this.#run(
          scripts.giveBack,
          shard,
          own.flatMap(({ session, token, again }) => [session, token, again]),
        ),
      ),
    );
    this.#signal.raise();
  }

  #run(script: Script, shard: string, args: readonly (string | number)[]): Promise<unknown> {
    return this.#connection.write(script, [shard], [this.#channel, this.#clock?.now() ?? "", ...args]);
  }

  #everywhere(script: Script, ...args: readonly (string | number)[]): Promise<unknown[]> {
    return Promise.all(this.#shards.map((shard) => this.#run(script, shard, args)));
  }
}
