import { type CallContext, type Clock, type IdSource, type Page, systemClock, systemIds } from "../dialect.ts";
import { decodeCursor, pageOf, pageSize } from "../internal/paging.ts";
import { busy, ended, exists, fenced, notFound } from "../internal/session-errors.ts";
import { INPUT_FENCE, type NewEvent, type SessionEvent } from "../session-event.ts";
import type {
  Claim,
  DueSession,
  NewSession,
  Release,
  SessionChange,
  SessionLog,
  SessionQuery,
  SessionRecord,
} from "../session-log.ts";

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

interface Held {
  readonly record: Mutable<SessionRecord>;
  readonly events: SessionEvent[];
  readonly keys: Map<string, SessionEvent>;
  epoch: number;
  snapshot?: { readonly seq: number; readonly body: SessionEvent["body"] & {} };
}

export interface InMemorySessionLogDeps {
  readonly clock?: Clock;
  readonly ids?: IdSource;
}

/** The law of `SessionLog` in its plainest form; gone with the process. */
export class InMemorySessionLog implements SessionLog {
  readonly #clock: Clock;
  readonly #ids: IdSource;
  readonly #sessions = new Map<string, Held>();
  readonly #leases = new Map<string, number>();

  constructor({ clock = systemClock, ids = systemIds }: InMemorySessionLogDeps = {}) {
    this.#clock = clock;
    this.#ids = ids;
  }

  async create(
    { principal: { tenant } }: CallContext,
    session: NewSession,
  ): Promise<{ readonly record: SessionRecord; readonly created: boolean }> {
    const { at, events, ...given } = session;
    if (session.externalId !== undefined) {
      for (const { record } of this.#sessions.values()) {
        const same = record.tenant === tenant && record.agent === session.agent;
        if (same && record.externalId === session.externalId) return { record: { ...record }, created: false };
      }
    }
    if (this.#sessions.has(session.id)) throw exists(session.id);
    const held: Held = {
      record: { ...structuredClone(given), tenant, createdAt: at, updatedAt: at, head: 0 },
      events: [],
      keys: new Map(),
      epoch: 0,
    };
    this.#sessions.set(session.id, held);
    for (const event of events) this.#place(held, event, "0:created");
    return { record: { ...held.record }, created: true };
  }

  async get({ principal }: CallContext, session: string): Promise<SessionRecord | undefined> {
    const held = this.#sessions.get(session);
    return held?.record.tenant === principal.tenant ? { ...held.record } : undefined;
  }

  async find({ principal }: CallContext, query: SessionQuery): Promise<Page<SessionRecord>> {
    const limit = pageSize(query.limit);
    const before = query.cursor === undefined ? undefined : decodeCursor(query.cursor);
    const rows = [...this.#sessions.values()]
      .map(({ record }) => record)
      .filter((record) => record.tenant === principal.tenant && matches(record, query))
      .filter(({ id }) => before === undefined || id < before)
      .sort((a, b) => (a.id < b.id ? 1 : -1));
    return pageOf(
      rows.slice(0, limit + 1),
      limit,
      (record): SessionRecord => ({ ...record }),
      ({ id }) => id,
    );
  }

  async delete(context: CallContext, session: string): Promise<void> {
    const { record } = this.#held(context, session);
    if (this.#inForce(record.owner)) throw busy(session);
    this.#sessions.delete(session);
  }

  async claim(
    context: CallContext,
    session: string,
    { owner, from }: { readonly owner: string; readonly from?: string },
  ): Promise<Claim | undefined> {
    const held = this.#held(context, session);
    const { record } = held;
    const heldBy = record.owner;
    if (from !== undefined ? record.fence !== from : heldBy !== owner && this.#inForce(heldBy)) return undefined;
    held.epoch += 1;
    const fence = `${held.epoch}:${this.#ids.next("fnc").slice(-16)}`;
    record.fence = fence;
    record.owner = owner;
    record.wakeAt ??= this.#clock.now();
    const claim: Claim = { fence, record: { ...record } };
    return heldBy === undefined ? claim : { ...claim, tookOverFrom: heldBy };
  }

  async append(
    context: CallContext,
    session: string,
    fence: string,
    events: readonly NewEvent[],
    change?: SessionChange,
  ): Promise<readonly SessionEvent[]> {
    const held = this.#fenced(context, session, fence);
    const placed = events.map((event) => this.#place(held, event, fence).event);
    if (change !== undefined) apply(held.record, change, this.#clock.now());
    if (change?.release !== undefined) this.#giveUp(held, change.release);
    return placed;
  }

  async release(
    context: CallContext,
    session: string,
    fence: string,
    options: Release,
  ): Promise<{ readonly woken: boolean }> {
    return { woken: this.#giveUp(this.#fenced(context, session, fence), options) };
  }

  #giveUp({ record, events }: Held, { seen, wakeAt }: Release): boolean {
    delete record.owner;
    delete record.wakeAt;
    const unseen = events.slice(seen).some((event) => event.fence === INPUT_FENCE);
    if (record.status === "ended") return false;
    if (unseen) {
      record.wakeAt = this.#clock.now();
      if (record.status === "idle") record.status = "queued";
    } else if (wakeAt !== undefined) record.wakeAt = wakeAt;
    return unseen;
  }

  async deposit(
    context: CallContext,
    session: string,
    event: NewEvent,
    { wake = true }: { readonly wake?: boolean } = {},
  ): Promise<{ readonly event: SessionEvent; readonly duplicate: boolean }> {
    const held = this.#held(context, session);
    const known = event.idempotencyKey === undefined ? undefined : held.keys.get(event.idempotencyKey);
    if (known !== undefined) return { event: known, duplicate: true };
    if (held.record.status === "ended") throw ended(session);
    const { event: placed } = this.#place(held, event, INPUT_FENCE);
    if (wake) {
      held.record.wakeAt = Math.min(held.record.wakeAt ?? Number.POSITIVE_INFINITY, this.#clock.now());
      if (held.record.status === "idle") held.record.status = "queued";
    }
    return { event: placed, duplicate: false };
  }

  async read(
    context: CallContext,
    session: string,
    { after = 0, limit = 1000 }: { readonly after?: number; readonly limit?: number } = {},
  ): Promise<readonly SessionEvent[]> {
    return this.#held(context, session).events.slice(after, after + limit);
  }

  async saveSnapshot(
    context: CallContext,
    session: string,
    fence: string,
    snapshot: NonNullable<Held["snapshot"]>,
  ): Promise<void> {
    this.#fenced(context, session, fence).snapshot = structuredClone(snapshot);
  }

  async snapshot(context: CallContext, session: string): Promise<Held["snapshot"]> {
    return this.#held(context, session).snapshot;
  }

  async renew(owner: string, leaseMs: number): Promise<void> {
    this.#leases.set(owner, this.#clock.now() + leaseMs);
  }

  async expire(owner: string): Promise<void> {
    this.#leases.delete(owner);
  }

  async owners(): Promise<readonly { readonly owner: string; readonly expiresAt: number }[]> {
    const owners = new Set([...this.#sessions.values()].flatMap(({ record }) => record.owner ?? []));
    return [...owners].map((owner) => ({ owner, expiresAt: this.#leases.get(owner) ?? 0 }));
  }

  async due({
    limit,
    after,
  }: {
    readonly limit: number;
    readonly after?: Pick<DueSession, "wakeAt" | "session">;
  }): Promise<readonly DueSession[]> {
    const now = this.#clock.now();
    return [...this.#sessions.values()]
      .flatMap(({ record: { id, tenant, agent, wakeAt, owner, state } }) =>
        wakeAt !== undefined && wakeAt <= now && !this.#inForce(owner)
          ? [{ session: id, tenant, agent, wakeAt, state }]
          : [],
      )
      .filter((each) => after === undefined || dueOrder(after, each) < 0)
      .sort(dueOrder)
      .slice(0, limit);
  }

  async close(): Promise<void> {}

  #inForce(owner: string | undefined): boolean {
    return owner !== undefined && (this.#leases.get(owner) ?? 0) > this.#clock.now();
  }

  #held({ principal }: CallContext, session: string): Held {
    const held = this.#sessions.get(session);
    if (held === undefined || held.record.tenant !== principal.tenant) throw notFound(session);
    return held;
  }

  #fenced(context: CallContext, session: string, fence: string): Held {
    const held = this.#held(context, session);
    if (held.record.fence !== fence || held.record.owner === undefined) throw fenced(session);
    return held;
  }

  #place(held: Held, event: NewEvent, fence: string): { readonly event: SessionEvent } {
    const known = event.idempotencyKey === undefined ? undefined : held.keys.get(event.idempotencyKey);
    if (known !== undefined) return { event: known };
    const { tenant, id: session } = held.record;
    const placed: SessionEvent = { ...structuredClone(event), tenant, session, seq: held.events.length + 1, fence };
    held.events.push(placed);
    held.record.head = placed.seq;
    if (placed.idempotencyKey !== undefined) held.keys.set(placed.idempotencyKey, placed);
    return { event: placed };
  }
}

const dueOrder = (a: Pick<DueSession, "wakeAt" | "session">, b: Pick<DueSession, "wakeAt" | "session">): number =>
  a.wakeAt - b.wakeAt || (a.session < b.session ? -1 : a.session === b.session ? 0 : 1);

function matches(record: SessionRecord, query: SessionQuery): boolean {
  const { status, agent, externalId, parent, metadata = {}, archived = false } = query;
  return (
    (status === undefined || record.status === status) &&
    (agent === undefined || record.agent === agent) &&
    (externalId === undefined || record.externalId === externalId) &&
    (parent === undefined || record.parent === parent) &&
    Object.entries(metadata).every(([key, value]) => record.metadata[key] === value) &&
    (record.archivedAt !== undefined) === archived
  );
}

function apply(record: Mutable<SessionRecord>, change: SessionChange, now: number): void {
  if (change.status !== undefined) record.status = change.status;
  if (change.metadata !== undefined) record.metadata = structuredClone(change.metadata);
  if (change.state !== undefined) record.state = structuredClone(change.state);
  if (change.archivedAt === null) delete record.archivedAt;
  else if (change.archivedAt !== undefined) record.archivedAt = change.archivedAt;
  record.updatedAt = now;
}
