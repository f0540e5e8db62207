import type { Admission } from "../admission.ts";
import type { Clock } from "../dialect.ts";
import { breathe } from "../internal/breathe.ts";
import type { Claim, SessionLog } from "../session-log.ts";
import type { LaneState, TakenJob, WorkQueue } from "../work-queue.ts";
import { type RunDeps, SessionRun } from "./run-session.ts";
import { Sweep } from "./sweep.ts";

export interface WorkerDeps extends RunDeps {
  readonly log: SessionLog;
  readonly queue: WorkQueue;
  readonly clock: Clock;
  readonly admission: Admission;
  readonly owner: string;
  /** Sessions that run at once here. */
  readonly concurrency: number;
  readonly leaseMs: number;
  /** How often lost wake-ups, timers and dead owners are looked for. */
  readonly sweepMs: number;
  /** What goes wrong outside of any session; the worker goes on. */
  readonly onError: (error: unknown) => void;
}

/** Takes jobs from the queue, claims their sessions and runs them, until it is drained. */
export class Worker {
  readonly #deps: WorkerDeps;
  readonly #stopping = new AbortController();
  readonly #runs = new Map<string, { readonly run: SessionRun; readonly done: Promise<void> }>();
  /** Sessions whose run has not ended; a job of one came back because this worker's own lease had lapsed. */
  readonly #running = new Set<string>();
  #loops: readonly Promise<void>[] = [];
  #freed: () => void = () => {};
  readonly #sweep: Sweep;

  constructor(deps: WorkerDeps) {
    this.#deps = deps;
    this.#sweep = new Sweep(deps);
  }

  async start(): Promise<void> {
    const { log, queue, owner, leaseMs } = this.#deps;
    await Promise.all([log.renew(owner, leaseMs), queue.renew(owner, leaseMs)]);
    this.#loops = [this.#repeat(() => this.#work()), this.#repeat(() => this.#heartbeat())];
  }

  /** Takes no more, ends the turns under way so that another worker goes on with them, and gives its claims up. */
  async drain(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort(new Error("The worker drains."));
    this.#leaveAll();
    await Promise.allSettled(this.#loops);
    this.#leaveAll();
    await Promise.allSettled([...this.#runs.values()].map(({ done }) => done));
    const { log, queue, owner } = this.#deps;
    await Promise.all([log.expire(owner), queue.expire(owner)]);
  }

  #leaveAll(): void {
    for (const { run } of this.#runs.values()) run.leave("drain");
  }

  async #repeat(body: () => Promise<void>): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await body().catch(async (error) => {
        if (signal.aborted) return;
        this.#deps.onError(error);
        await this.#deps.clock.sleep(this.#deps.sweepMs, { signal }).catch(() => {});
      });
    }
  }

  async #heartbeat(): Promise<void> {
    const { log, queue, clock, owner, leaseMs } = this.#deps;
    await clock.sleep(leaseMs / 3, { signal: this.#stopping.signal });
    await Promise.all([log.renew(owner, leaseMs), queue.renew(owner, leaseMs)]);
    await Promise.all([...this.#runs.values()].map(({ run }) => run.check()));
  }

  async #work(): Promise<void> {
    const { queue, clock, sweepMs } = this.#deps;
    const free = new Promise<void>((resolve) => {
      this.#freed = resolve;
    });
    await breathe();
    await this.#sweep.look();
    const lanes = await this.#take();
    const next = Math.min(...lanes.map(({ nextAt }) => nextAt).filter((at) => at > clock.now()), clock.now() + sweepMs);
    const waiting = new AbortController();
    const signal = AbortSignal.any([this.#stopping.signal, waiting.signal]);
    const quiet = (wait: Promise<void>) => wait.catch(() => {});
    await Promise.race([free, quiet(queue.wakeup(signal)), quiet(clock.sleep(next - clock.now(), { signal }))]);
    waiting.abort();
  }

  /**
   * One at a time while lanes of one priority contend, so that the order of the next is decided anew. Gives the lanes in
   * which there is more; none when this worker has no place free, and so need not look before it has.
   */
  async #take(): Promise<readonly LaneState[]> {
    const { queue, clock, admission, owner, concurrency } = this.#deps;
    for (;;) {
      await breathe();
      if (this.#runs.size >= concurrency || this.#stopping.signal.aborted) return [];
      const waiting = await queue.lanes();
      const lanes = admission.order(waiting, clock.now());
      let taken = 0;
      for (const lane of lanes) {
        if (this.#stopping.signal.aborted) return [];
        const free = concurrency - this.#runs.size;
        const alone = lanes.every((other) => other === lane || other.priority < lane.priority);
        const options = { owner, count: alone ? free : 1, ...admission.limits(lane) };
        const { jobs } = await queue.take(lane, options).catch((error) => this.#giveUp(error));
        for (const _ of jobs) admission.served(lane);
        await Promise.all(jobs.map((job) => this.#run(job)));
        taken = jobs.length;
        if (taken > 0) break;
      }
      if (taken === 0) return waiting;
    }
  }

  async #run(job: TakenJob): Promise<void> {
    const { log, queue, owner, clock, sweepMs, onError } = this.#deps;
    const context = { principal: { tenant: job.lane.tenant } };
    if (this.#running.has(job.session)) return queue.finish(job);
    let claim: Claim | undefined;
    try {
      claim = await this.#answered(() => log.claim(context, job.session, { owner }));
    } catch (error) {
      if ((error as { kind?: unknown }).kind === "not_found") return queue.finish(job);
      onError(error);
      return queue.putBack(job, clock.now() + sweepMs);
    }
    if (claim === undefined) return queue.finish(job);
    const { fence, record } = claim;
    const run = new SessionRun(this.#deps, context, claim);
    this.#running.add(job.session);
    const done = run
      .run()
      .finally(() => this.#running.delete(job.session))
      .then(() => queue.finish(job))
      .catch(async (error) => {
        onError(error);
        const rest = { seen: record.head, wakeAt: clock.now() + sweepMs };
        await this.#answered(() => log.release(context, job.session, fence, rest)).catch(() => {});
        await this.#answered(() => queue.putBack(job, clock.now() + sweepMs)).catch(() => {});
      })
      .finally(() => {
        this.#runs.delete(job.session);
        this.#freed();
      });
    this.#runs.set(job.session, { run, done });
  }

  /** A store that is away is asked until it answers: nothing stays held by a worker that has dropped it. */
  async #answered<T>(call: () => Promise<T>): Promise<T> {
    const { clock, sweepMs } = this.#deps;
    const { signal } = this.#stopping;
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if ((error as { kind?: unknown }).kind !== "unavailable" || signal.aborted) throw error;
        await clock.sleep(sweepMs, { signal }).catch(() => {});
      }
    }
  }

  /** The answer that got lost may have held jobs: all are given up, while claims keep the sessions under way. */
  async #giveUp(error: unknown): Promise<never> {
    const { queue, owner, leaseMs } = this.#deps;
    await this.#answered(() => queue.expire(owner));
    await this.#answered(() => queue.renew(owner, leaseMs));
    throw error;
  }
}
