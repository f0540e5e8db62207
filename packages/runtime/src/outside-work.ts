import { z } from "zod";
import { type CallContext, type Clock, type IdSource, type Json, systemClock, systemIds } from "./dialect.ts";
import type { Outward } from "./engine/outward.ts";
import { readAll } from "./engine/read-all.ts";
import { CONTROL } from "./engine/state.ts";
import { RuntimeError } from "./errors.ts";
import { environmentLabel, workId, workName } from "./internal/work-id.ts";
import type { SessionEvent } from "./session-event.ts";
import type { SessionLog } from "./session-log.ts";
import type { TakenJob, WorkQueue } from "./work-queue.ts";

export interface OutsideWorkDeps {
  readonly log: SessionLog;
  readonly queue: WorkQueue;
  readonly outward: Outward;
  readonly clock?: Clock;
  readonly ids?: IdSource;
}

/** One piece of work in the hands of one worker. */
export interface WorkItem {
  readonly id: string;
  readonly session: string;
  readonly input: Json;
  /** The worker's proof that it holds the work: for every further call. Opaque. */
  readonly lease: string;
  /** Without a heartbeat by then the work goes to another worker. */
  readonly leasedUntil: number;
}

export interface WorkDepth {
  readonly waiting: number;
  readonly working: number;
  readonly oldestAt?: number;
}

const LEASE_MS = 30_000;
const LONGEST_LEASE_MS = 3_600_000;

const held = z.object({
  owner: z.string().startsWith("own_"),
  job: z.object({ session: z.string(), token: z.string(), availableAt: z.number() }),
  environment: z.string(),
  leaseMs: z.number().positive().max(LONGEST_LEASE_MS),
});
type Held = z.infer<typeof held>;

/**
 * The queue of what sessions give outside with `session.outside`: workers on any machine poll for it by the name of their
 * environment, acknowledge, heartbeat, and report. Work whose worker falls silent goes to another: it happens at least
 * once, and the first report counts.
 */
export class OutsideWork {
  readonly #deps: OutsideWorkDeps;
  readonly #clock: Clock;
  readonly #ids: IdSource;

  constructor(deps: OutsideWorkDeps) {
    this.#deps = deps;
    this.#clock = deps.clock ?? systemClock;
    this.#ids = deps.ids ?? systemIds;
  }

  /** The next work of an environment, leased for `leaseMs` (default 30 s); waits up to `waitMs` (default 0) for some. */
  async poll(
    context: CallContext,
    environment: string,
    { leaseMs = LEASE_MS, waitMs = 0 }: { readonly leaseMs?: number; readonly waitMs?: number } = {},
  ): Promise<WorkItem | undefined> {
    if (!(leaseMs > 0 && leaseMs <= LONGEST_LEASE_MS)) {
      throw new RuntimeError("RUNTIME_INVALID", `A lease lasts up to ${LONGEST_LEASE_MS} ms: renew it by heartbeat.`);
    }
    const until = this.#clock.now() + waitMs;
    const owner = this.#ids.next("own");
    await this.#deps.queue.renew(owner, leaseMs + waitMs);
    for (;;) {
      const job = await this.#take(context, environment, owner);
      if (job !== undefined) {
        const item = await this.#item(context, { owner, job, environment, leaseMs });
        if (item !== undefined) return item;
        await this.#deps.queue.finish(job);
        continue;
      }
      const leftMs = until - this.#clock.now();
      if (leftMs <= 0 || context.signal?.aborted) break;
      await this.#news(leftMs, context.signal);
    }
    await this.#deps.queue.expire(owner);
    return undefined;
  }

  /** The worker has begun: this stands in the session's log, once for each worker that took the work. */
  async acknowledge(context: CallContext, lease: string): Promise<void> {
    const { owner, job } = this.#read(lease);
    const { session, request } = workName(job.session);
    const draft = { type: CONTROL.workTaken, body: { request }, idempotencyKey: `work-taken:${request}:${owner}` };
    await this.#deps.outward.tell(context, session, draft);
    await this.heartbeat(context, lease);
  }

  /** Keeps the work. `stop` says that its result is no longer wanted: end it and report nothing. */
  async heartbeat(
    context: CallContext,
    lease: string,
  ): Promise<{ readonly leasedUntil: number; readonly stop: boolean }> {
    const { owner, job, leaseMs } = this.#read(lease);
    await this.#deps.queue.renew(owner, leaseMs);
    const stop = (await this.#wanted(context, job.session)) === undefined;
    return { leasedUntil: this.#clock.now() + leaseMs, stop };
  }

  /** The first report of a piece of work counts; a later one is `RUNTIME_CONFLICT`. */
  async complete(context: CallContext, lease: string, output: Json): Promise<void> {
    await this.#report(context, lease, { output });
  }

  async fail(
    context: CallContext,
    lease: string,
    error: { readonly code: string; readonly message: string },
  ): Promise<void> {
    await this.#report(context, lease, { error: { code: error.code, message: error.message.slice(0, 2_000) } });
  }

  /** Asks whoever works on it to stop: `heartbeat` says so. The session goes on with an error. */
  async stop(context: CallContext, id: string, reason: string = "Stopped by an operator."): Promise<void> {
    const { session, request } = workName(id);
    if ((await this.#wanted(context, id)) === undefined) throw over(id);
    const error = { code: "RUNTIME_CANCELLED", message: reason };
    const draft = { type: CONTROL.work, body: { request, error }, idempotencyKey: `work:${request}` };
    await this.#deps.outward.deposit(context, session, draft);
    await this.#deps.queue.remove(id);
  }

  /** How much of an environment waits and is in work. */
  async depth({ principal }: CallContext, environment: string): Promise<WorkDepth> {
    const label = environmentLabel(environment);
    let total: WorkDepth = { waiting: 0, working: 0 };
    for (const { lane, waiting, working, oldestAt } of await this.#deps.queue.depth()) {
      if (lane.tenant !== principal.tenant || !lane.requires.includes(label)) continue;
      const oldest = Math.min(oldestAt ?? Number.POSITIVE_INFINITY, total.oldestAt ?? Number.POSITIVE_INFINITY);
      total = { waiting: total.waiting + waiting, working: total.working + working };
      if (Number.isFinite(oldest)) total = { ...total, oldestAt: oldest };
    }
    return total;
  }

  async #take({ principal }: CallContext, environment: string, owner: string): Promise<TakenJob | undefined> {
    const { queue } = this.#deps;
    const label = environmentLabel(environment);
    const now = this.#clock.now();
    for (const { lane, nextAt } of await queue.lanes()) {
      if (nextAt > now || lane.tenant !== principal.tenant || !lane.requires.includes(label)) continue;
      const { jobs } = await queue.take(lane, { owner, count: 1, concurrency: [], rates: [] });
      if (jobs[0] !== undefined) return jobs[0];
    }
    return undefined;
  }

  /** `undefined` when the session no longer waits for it. */
  async #item(context: CallContext, { job, owner, environment, leaseMs }: Held): Promise<WorkItem | undefined> {
    const request = await this.#wanted(context, job.session);
    if (request === undefined) return undefined;
    const { session } = workName(job.session);
    const { input = null } = request.body as { readonly input?: Json };
    const { session: id, token, availableAt } = job;
    const lease = JSON.stringify({ owner, job: { session: id, token, availableAt }, environment, leaseMs });
    await this.#deps.queue.renew(owner, leaseMs);
    const leasedUntil = this.#clock.now() + leaseMs;
    return { id, session, input, lease: Buffer.from(lease).toString("base64url"), leasedUntil };
  }

  /** The request, as long as it has no answer and its session may still take one. */
  async #wanted(context: CallContext, id: string): Promise<SessionEvent | undefined> {
    const { session, request } = workName(id);
    const record = await this.#deps.log.get(context, session);
    if (record === undefined || record.status === "ended") return undefined;
    const [asked, ...later] = await collect(readAll(this.#deps.log, context, session, request - 1));
    if (asked?.type !== "work.requested") return undefined;
    const answered = later.some(
      ({ type, body, step, turn }) =>
        (type === CONTROL.work && (body as { readonly request?: Json }).request === request) ||
        (turn === asked.turn && (closes.has(type) || (type === "work.completed" && step === asked.step))),
    );
    return answered ? undefined : asked;
  }

  async #report(context: CallContext, lease: string, told: { readonly [key: string]: Json }): Promise<void> {
    const { owner, job, environment } = this.#read(lease);
    const { session, request } = workName(job.session);
    if ((await this.#wanted(context, job.session)) === undefined) throw over(job.session);
    const draft = { type: CONTROL.work, body: { request, ...told }, idempotencyKey: `work:${request}` };
    const { duplicate } = await this.#deps.outward.deposit(context, session, draft);
    if (duplicate) throw over(job.session);
    const lane = {
      ...{ tenant: context.principal.tenant, agent: "outside", priority: 0 },
      requires: [environmentLabel(environment)],
    };
    await this.#deps.queue.finish({ ...job, lane });
    await this.#deps.queue.remove(workId({ session, request }));
    await this.#deps.queue.expire(owner);
  }

  #read(lease: string): Held {
    try {
      return held.parse(JSON.parse(Buffer.from(lease, "base64url").toString()));
    } catch (cause) {
      throw new RuntimeError("RUNTIME_INVALID", "The lease is not one that poll gave: pass it back unchanged.", {
        cause,
      });
    }
  }

  async #news(ms: number, outer: AbortSignal | undefined): Promise<void> {
    const inner = new AbortController();
    const signal = outer === undefined ? inner.signal : AbortSignal.any([outer, inner.signal]);
    const quiet = (wait: Promise<void>) => wait.catch(() => {});
    await Promise.race([quiet(this.#deps.queue.wakeup(signal)), quiet(this.#clock.sleep(ms, { signal }))]);
    inner.abort();
  }
}

const closes: ReadonlySet<string> = new Set(["turn.completed", "turn.failed", "turn.interrupted"]);

const over = (id: string): RuntimeError =>
  new RuntimeError(
    "RUNTIME_CONFLICT",
    `The work ${id} is over: it was reported before, or its session waits no longer.`,
  );

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}
