import { type Clock, type IdSource, systemClock, systemIds } from "../dialect.ts";
import { laneKey } from "../internal/lane-key.ts";
import { Signal } from "../internal/signal.ts";
import type { Job, Lane, LaneDepth, LaneState, Taken, TakenJob, TakeOptions, WorkQueue } from "../work-queue.ts";

interface Working {
  readonly job: TakenJob;
  readonly owner: string;
  readonly keys: readonly string[];
  again?: Job;
}

export interface InMemoryWorkQueueDeps {
  readonly clock?: Clock;
  readonly ids?: IdSource;
}

export class InMemoryWorkQueue implements WorkQueue {
  readonly #clock: Clock;
  readonly #ids: IdSource;
  readonly #waiting = new Map<string, Job>();
  readonly #working = new Map<string, Working>();
  readonly #leases = new Map<string, number>();
  /** Per rate key: the theoretical arrival time of the generic cell rate algorithm. */
  readonly #arrivals = new Map<string, number>();
  readonly #signal = new Signal();

  constructor({ clock = systemClock, ids = systemIds }: InMemoryWorkQueueDeps = {}) {
    this.#clock = clock;
    this.#ids = ids;
  }

  async put(jobs: readonly Job[]): Promise<void> {
    this.#reclaim();
    for (const job of jobs) {
      const working = this.#working.get(job.session);
      if (working !== undefined) working.again = earlier(working.again, job);
      else this.#waiting.set(job.session, earlier(this.#waiting.get(job.session), job));
    }
    this.#signal.raise();
  }

  async remove(session: string): Promise<void> {
    this.#waiting.delete(session);
    const working = this.#working.get(session);
    if (working !== undefined) delete working.again;
  }

  async lanes(): Promise<readonly LaneState[]> {
    this.#reclaim();
    const lanes = new Map<string, LaneState>();
    for (const { lane, availableAt } of this.#waiting.values()) {
      const key = laneKey(lane);
      const known = lanes.get(key);
      if (known === undefined || availableAt < known.nextAt) lanes.set(key, { lane, nextAt: availableAt });
    }
    return [...lanes.values()];
  }

  async take(lane: Lane, { owner, count, concurrency, rates }: TakeOptions): Promise<Taken> {
    this.#reclaim();
    if (!this.#inForce(owner)) return { jobs: [] };
    const now = this.#clock.now();
    const key = laneKey(lane);
    const jobs: TakenJob[] = [];
    const ready = [...this.#waiting.values()]
      .filter((job) => laneKey(job.lane) === key && job.availableAt <= now)
      .sort((a, b) => a.availableAt - b.availableAt);
    for (const job of ready.slice(0, count)) {
      const full = concurrency.find((each) => this.#inWork(each.key) >= each.limit);
      if (full !== undefined) return { jobs, limited: { key: full.key } };
      for (const { key, limit, perMs } of rates) {
        const freeAt = (this.#arrivals.get(key) ?? 0) - perMs + perMs / limit;
        if (freeAt > now) return { jobs, limited: { key, until: Math.ceil(freeAt) } };
      }
      for (const { key, limit, perMs } of rates) {
        this.#arrivals.set(key, Math.max(this.#arrivals.get(key) ?? 0, now) + perMs / limit);
      }
      const taken: TakenJob = { ...job, token: this.#ids.next("job") };
      this.#waiting.delete(job.session);
      this.#working.set(job.session, { job: taken, owner, keys: concurrency.map((each) => each.key) });
      jobs.push(taken);
    }
    return { jobs };
  }

  async finish(job: TakenJob): Promise<void> {
    const working = this.#mine(job);
    if (working === undefined) return;
    this.#working.delete(job.session);
    if (working.again !== undefined) this.#waiting.set(job.session, working.again);
    this.#signal.raise();
  }

  async putBack(job: TakenJob, availableAt: number): Promise<void> {
    const working = this.#mine(job);
    if (working === undefined) return;
    this.#working.delete(job.session);
    const { session, lane } = job;
    const back = { session, lane, availableAt };
    this.#waiting.set(session, working.again === undefined ? back : earlier(back, working.again));
    this.#signal.raise();
  }

  async renew(owner: string, leaseMs: number): Promise<void> {
    this.#leases.set(owner, this.#clock.now() + leaseMs);
  }

  async expire(owner: string): Promise<void> {
    this.#leases.delete(owner);
    this.#reclaim();
    this.#signal.raise();
  }

  async depth(): Promise<readonly LaneDepth[]> {
    this.#reclaim();
    const lanes = new Map<string, { lane: Lane; waiting: number; working: number; oldestAt?: number }>();
    const at = (lane: Lane) => {
      const found = lanes.get(laneKey(lane)) ?? { lane, waiting: 0, working: 0 };
      lanes.set(laneKey(lane), found);
      return found;
    };
    for (const { lane, availableAt } of this.#waiting.values()) {
      const entry = at(lane);
      entry.waiting += 1;
      entry.oldestAt = Math.min(entry.oldestAt ?? availableAt, availableAt);
    }
    for (const { job } of this.#working.values()) at(job.lane).working += 1;
    return [...lanes.values()];
  }

  wakeup(signal: AbortSignal): Promise<void> {
    return this.#signal.wait(signal);
  }

  async close(): Promise<void> {}

  #mine(job: TakenJob): Working | undefined {
    const working = this.#working.get(job.session);
    return working?.job.token === job.token ? working : undefined;
  }

  #inForce(owner: string): boolean {
    return (this.#leases.get(owner) ?? 0) > this.#clock.now();
  }

  #inWork(key: string): number {
    let count = 0;
    for (const { keys } of this.#working.values()) if (keys.includes(key)) count += 1;
    return count;
  }

  #reclaim(): void {
    for (const { job, owner, again } of this.#working.values()) {
      if (this.#inForce(owner)) continue;
      this.#working.delete(job.session);
      const { session, lane, availableAt } = job;
      const back = { session, lane, availableAt };
      this.#waiting.set(session, again === undefined ? back : earlier(back, again));
    }
  }
}

const earlier = (known: Job | undefined, job: Job): Job =>
  known === undefined ? job : { ...job, availableAt: Math.min(known.availableAt, job.availableAt) };
