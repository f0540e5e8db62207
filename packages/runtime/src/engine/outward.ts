import type { CallContext, Json } from "../dialect.ts";
import { RuntimeError } from "../errors.ts";
import { environmentLabel, type WorkName, workId } from "../internal/work-id.ts";
import type { ChildRequest } from "../session.ts";
import type { SessionEvent } from "../session-event.ts";
import type { SessionRecord } from "../session-log.ts";
import type { Job, WorkQueue } from "../work-queue.ts";
import type { Draft } from "./journal.ts";
import { type OpeningDeps, openSession } from "./opening.ts";
import { CONTROL, type Parentage, readState } from "./state.ts";

export interface OutwardDeps extends OpeningDeps {
  readonly queue: WorkQueue;
}

/** What reaches other sessions and workers: inputs that wake a session, sessions that sessions start, work for outside. */
export class Outward {
  readonly #deps: OutwardDeps;

  constructor(deps: OutwardDeps) {
    this.#deps = deps;
  }

  /** Appends an input and puts the session into the queue. */
  async deposit(
    context: CallContext,
    session: string,
    draft: Draft,
  ): Promise<{ readonly event: SessionEvent; readonly duplicate: boolean }> {
    const { journal, queue, log } = this.#deps;
    const placed = await journal.deposit(context, session, draft);
    const record = placed.duplicate ? undefined : await log.get(context, session);
    if (record !== undefined) await queue.put([this.job(record)]);
    return placed;
  }

  /** Appends an input that wakes nobody. */
  async tell(context: CallContext, session: string, draft: Draft): Promise<void> {
    await this.#deps.journal.deposit(context, session, draft, { wake: false });
  }

  job({ id, tenant, agent, state }: SessionRecord, availableAt: number = this.#deps.clock.now()): Job {
    const { priority, requires } = readState(state);
    return { session: id, lane: { tenant, agent, priority, requires }, availableAt };
  }

  /** Puts a session that waits into the queue for its time, which a sweep would find later. */
  async wake(record: SessionRecord, at: number): Promise<void> {
    await this.#deps.queue.put([this.job(record, at)]);
  }

  /** The same `key` gives the same session, whose first message is sent once. */
  async spawn(
    { principal }: CallContext,
    { key, parent, input, ...child }: ChildRequest & { readonly key: string; readonly parent: Parentage },
  ): Promise<string> {
    const context = { principal: { tenant: principal.tenant } };
    const { id } = await openSession(this.#deps, context, { ...child, externalId: key, parent });
    await this.deposit(context, id, { type: "user.message", body: input, idempotencyKey: `input:${key}` });
    return id;
  }

  /** Tells a parent what became of its child, once per `key`. A parent that is gone is told nothing. */
  async report({ principal }: CallContext, parent: string, report: Json, key: string): Promise<void> {
    const context = { principal: { tenant: principal.tenant } };
    try {
      await this.deposit(context, parent, { type: CONTROL.child, body: report, idempotencyKey: key });
    } catch (error) {
      const gone = RuntimeError.is(error) && gones.has(error.code);
      if (!gone) throw error;
    }
  }

  /** Puts work into the queue under the label of its environment, which no worker of sessions has. */
  async offer(
    { principal: { tenant } }: CallContext,
    work: WorkName & { readonly environment: string },
  ): Promise<void> {
    const lane = { tenant, agent: "outside", priority: 0, requires: [environmentLabel(work.environment)] };
    await this.#deps.queue.put([{ session: workId(work), lane, availableAt: this.#deps.clock.now() }]);
  }
}

const gones: ReadonlySet<string> = new Set(["RUNTIME_NOT_FOUND", "RUNTIME_SESSION_ENDED"]);
