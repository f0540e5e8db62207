/** Jobs of one lane are alike in everything that decides who may run them and when. */
export interface Lane {
  readonly tenant: string;
  readonly agent: string;
  /** Higher runs first. An integer, −1,000 to 1,000. */
  readonly priority: number;
  /** Labels that a worker must have, sorted: `["gpu:a100"]`. */
  readonly requires: readonly string[];
}

/** A request to run a session. */
export interface Job {
  /** The session. At most one job of a session waits at a time. */
  readonly session: string;
  readonly lane: Lane;
  readonly availableAt: number;
}

export interface TakenJob extends Job {
  /** Names this taking in `finish` and `putBack`. */
  readonly token: string;
}

export interface LaneState {
  readonly lane: Lane;
  /** When the first job that waits is, or will be, available. */
  readonly nextAt: number;
}

export interface ConcurrencyLimit {
  /** `tenant:acme`, `agent:resolver`, or any other name. */
  readonly key: string;
  /** Jobs that may be in work at once with this key. */
  readonly limit: number;
}

export interface RateLimit {
  readonly key: string;
  /** At most `limit` jobs taken in any `perMs`, evenly spread with a burst of `limit`. */
  readonly limit: number;
  readonly perMs: number;
}

export interface TakeOptions {
  readonly owner: string;
  readonly count: number;
  readonly concurrency: readonly ConcurrencyLimit[];
  readonly rates: readonly RateLimit[];
}

export interface Taken {
  readonly jobs: readonly TakenJob[];
  /** Present when a limit, and not emptiness, made the answer short; `until` says when a rate allows the next. */
  readonly limited?: { readonly key: string; readonly until?: number };
}

export interface LaneDepth {
  readonly lane: Lane;
  readonly waiting: number;
  readonly working: number;
  readonly oldestAt?: number;
}

/**
 * Which sessions want to be run, in lanes. The queue only stores, counts and hands out; who comes first is the
 * admission policy's. It serves all tenants and is a hint: the truth of whether a session must run is its log's
 * `wakeAt`, from which a lost job is put in again.
 *
 * The laws:
 * - `put` of a session that waits keeps one job, with the earlier `availableAt` and the newer lane. `put` of a session
 *   that is in work is kept aside and waits as soon as that one is finished: no wake-up is lost.
 * - A job is handed to one taker. When its owner's lease ends it waits again and its limits are free.
 * - `take` gives jobs only within all limits, decided atomically; the earliest available of the lane comes first. An
 *   owner without a lease in force is given none: it could not keep them.
 */
export interface WorkQueue {
  put(jobs: readonly Job[]): Promise<void>;
  remove(session: string): Promise<void>;
  /** Lanes in which a job waits, available or delayed. */
  lanes(): Promise<readonly LaneState[]>;
  take(lane: Lane, options: TakeOptions): Promise<Taken>;
  /** The job is done: its limits are free. */
  finish(job: TakenJob): Promise<void>;
  /** The job waits again, from `availableAt`; its limits are free. */
  putBack(job: TakenJob, availableAt: number): Promise<void>;
  /** Starts or prolongs the lease of an owner, and with it every job it took. */
  renew(owner: string, leaseMs: number): Promise<void>;
  /** The owner left or is dead: its jobs wait again. */
  expire(owner: string): Promise<void>;
  /** Jobs by lane: how many wait, and how many are in work. May be dear; for people and metrics. */
  depth(): Promise<readonly LaneDepth[]>;
  /** Resolves when work may be there that was not, perhaps spuriously; rejects with the signal's reason. */
  wakeup(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
