import type { CallContext, Clock, IdSource } from "../dialect.ts";
import { RuntimeError } from "../errors.ts";
import { breathe } from "../internal/breathe.ts";
import { busy, ended, notFound } from "../internal/session-errors.ts";
import type { LiveBus } from "../live-bus.ts";
import type { Claim, SessionLog, SessionRecord, SessionStatus } from "../session-log.ts";
import type { Journal } from "./journal.ts";
import { ownerName } from "./owner.ts";
import { readState, writeState } from "./state.ts";

export interface OperatorDeps {
  readonly log: SessionLog;
  readonly journal: Journal;
  readonly live: LiveBus;
  readonly clock: Clock;
  readonly ids: IdSource;
}

/** Longer than any operation takes: no worker comes between its claim and its release. */
const LEASE_MS = 5_000;

const atRest: ReadonlySet<SessionStatus> = new Set(["idle", "parked", "ended"]);

/** What a person does to a session from outside, under a claim of its own. */
export class Operator {
  readonly #deps: OperatorDeps;

  constructor(deps: OperatorDeps) {
    this.#deps = deps;
  }

  async kill(context: CallContext, session: string): Promise<void> {
    const body = { status: "cancelled", killed: true };
    await this.#leased((owner) => this.#seize(context, session, owner, { type: "session.ended", body }, "ended"));
  }

  async park(context: CallContext, session: string, reason: string): Promise<void> {
    const draft = { type: "session.parked", body: { reason } };
    await this.#leased((owner) => this.#seize(context, session, owner, draft, "parked"));
  }

  requeue(context: CallContext, session: string): Promise<SessionRecord> {
    return this.#leased((owner) => this.#requeue(context, session, owner));
  }

  archive(context: CallContext, session: string, archived: boolean): Promise<void> {
    return this.#leased((owner) => this.#archive(context, session, owner, archived));
  }

  async #requeue(context: CallContext, session: string, owner: string): Promise<SessionRecord> {
    const { log, journal, clock } = this.#deps;
    const claim = await this.#claim(context, session, owner, ({ status }) => status === "parked", "not parked");
    const { open, ...state } = readState(claim.record.state);
    const restarted = open === undefined ? state : { ...state, open: { ...open, crashes: 0 } };
    await journal.append(context, session, claim.fence, [{ type: "session.requeued" }], {
      status: "queued",
      state: writeState(restarted),
    });
    await log.release(context, session, claim.fence, { seen: claim.record.head, wakeAt: clock.now() });
    return claim.record;
  }

  async #archive(context: CallContext, session: string, owner: string, archived: boolean): Promise<void> {
    const { log, journal, clock } = this.#deps;
    const before = await this.#get(context, session);
    const claim = await this.#claim(context, session, owner, ({ status }) => atRest.has(status), "not at rest");
    const { fence, record } = claim;
    const type = archived ? "session.archived" : "session.unarchived";
    if ((record.archivedAt !== undefined) !== archived) {
      await journal.append(context, session, fence, [{ type }], { archivedAt: archived ? clock.now() : null });
    }
    const wakeAt = before.wakeAt === undefined ? undefined : record.wakeAt;
    const { head: seen } = record;
    await log.release(context, session, fence, wakeAt === undefined ? { seen } : { seen, wakeAt });
  }

  async #leased<T>(operation: (owner: string) => Promise<T>): Promise<T> {
    const { log, ids } = this.#deps;
    const owner = ownerName(ids);
    await log.renew(owner, LEASE_MS);
    try {
      return await operation(owner);
    } finally {
      await log.expire(owner);
    }
  }

  /** Takes the session from whoever holds it, writes one last event and lets go. */
  async #seize(
    context: CallContext,
    session: string,
    owner: string,
    draft: Parameters<Journal["append"]>[3][number],
    status: SessionStatus,
  ): Promise<void> {
    const { log, journal, live } = this.#deps;
    for (;;) {
      await breathe();
      const record = await this.#get(context, session);
      if (record.status === "ended") throw ended(session);
      if (record.status === status) return;
      const from = record.fence === undefined ? {} : { from: record.fence };
      const claim = await log.claim(context, session, { owner, ...from });
      if (claim === undefined) continue;
      await journal.append(context, session, claim.fence, [draft], { status });
      await log.release(context, session, claim.fence, { seen: Number.MAX_SAFE_INTEGER });
      await live.publish(context, session, { type: "control" });
      return;
    }
  }

  /** A worker holds a parked session only to put it down again, so it is taken even then. */
  async #claim(
    context: CallContext,
    session: string,
    owner: string,
    fits: (record: SessionRecord) => boolean,
    otherwise: string,
  ): Promise<Claim> {
    let claim: Claim | undefined;
    while (claim === undefined) {
      await breathe();
      const record = await this.#get(context, session);
      const { status, fence } = record;
      if (!fits(record)) throw unfit(record, otherwise);
      const from = status === "parked" && fence !== undefined ? { from: fence } : {};
      claim = await this.#deps.log.claim(context, session, { owner, ...from });
      if (claim === undefined && status !== "parked") throw busy(session);
    }
    if (fits(claim.record)) return claim;
    const { head: seen, wakeAt } = claim.record;
    await this.#deps.log.release(context, session, claim.fence, wakeAt === undefined ? { seen } : { seen, wakeAt });
    throw unfit(claim.record, otherwise);
  }

  async #get(context: CallContext, session: string): Promise<SessionRecord> {
    const record = await this.#deps.log.get(context, session);
    if (record === undefined) throw notFound(session);
    return record;
  }
}

const unfit = ({ id, status }: SessionRecord, otherwise: string): RuntimeError =>
  new RuntimeError("RUNTIME_CONFLICT", `Session ${id} is ${status}, ${otherwise}.`);
