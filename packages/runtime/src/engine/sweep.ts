import type { Clock } from "../dialect.ts";
import type { DueSession, SessionLog } from "../session-log.ts";
import type { WorkQueue } from "../work-queue.ts";
import { isProvablyDead } from "./owner.ts";
import { readState } from "./state.ts";

export interface SweepDeps {
  readonly log: SessionLog;
  readonly queue: WorkQueue;
  readonly clock: Clock;
  readonly sweepMs: number;
}

/** Sessions looked at in one go: the event loop that renews leases is not held up. */
const PAGE = 200;

/** A sweep that took so long is followed by a pause this many times as long: it never crowds out the work it finds. */
const PAUSE = 4;

/** Pages follow each other at this share of the time between sweeps: a backlog is in the queue already, most likely. */
const SHARE = 0.1;

/** Frees what dead owners hold and puts sessions into the queue whose time has come or whose wake-up was lost. */
export class Sweep {
  readonly #deps: SweepDeps;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #pauseMs = 0;
  #after: DueSession | undefined;

  constructor(deps: SweepDeps) {
    this.#deps = deps;
  }

  /** When it is time: the next page, and after the last one a pause of at least `sweepMs`. */
  async look(): Promise<void> {
    const { clock, sweepMs } = this.#deps;
    if (Math.abs(clock.now() - this.#lookedAt) < this.#pauseMs) return;
    this.#lookedAt = clock.now();
    const began = performance.now();
    if (this.#after === undefined) await this.#free();
    await this.#page();
    const spentMs = performance.now() - began;
    this.#pauseMs = Math.max(PAUSE * spentMs, this.#after === undefined ? sweepMs : sweepMs * SHARE);
  }

  async #free(): Promise<void> {
    const { log, queue } = this.#deps;
    for (const { owner } of await log.owners()) {
      if (isProvablyDead(owner)) await Promise.all([log.expire(owner), queue.expire(owner)]);
    }
  }

  async #page(): Promise<void> {
    const { log, queue } = this.#deps;
    const due = await log.due({ limit: PAGE, ...(this.#after === undefined ? {} : { after: this.#after }) });
    this.#after = due.length < PAGE ? undefined : due.at(-1);
    if (due.length === 0) return;
    await queue.put(
      due.map(({ tenant, session, agent, wakeAt, state }) => {
        const { priority, requires } = readState(state);
        return { session, lane: { tenant, agent, priority, requires }, availableAt: wakeAt };
      }),
    );
  }
}
