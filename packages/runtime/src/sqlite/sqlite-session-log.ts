import {
  type CallContext,
  type Clock,
  type IdSource,
  type Json,
  type Page,
  systemClock,
  systemIds,
} from "../dialect.ts";
import { decodeCursor, pageOf, pageSize } from "../internal/paging.ts";
import { busy, ended, exists, fenced, notFound } from "../internal/session-errors.ts";
import type { SqliteDatabase } from "../internal/sqlite.ts";
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
import { Connection, type Durability } from "./connection.ts";
import { SESSION_LOG_SCHEMA } from "./schema.ts";
import { HEAD, SessionEvents } from "./session-events.ts";
import { recordOf, type SessionRow } from "./session-rows.ts";
import { searchOf } from "./session-search.ts";

export interface SqliteSessionLogDeps {
  /** A better-sqlite3 `Database`; whoever opened it closes it. WAL is switched on. */
  readonly database: SqliteDatabase;
  readonly clock?: Clock;
  readonly ids?: IdSource;
  /** Default `normal`. `full` holds for the whole connection. */
  readonly durability?: Durability;
}

const SESSION = `SELECT *, ${HEAD} AS head FROM runtime_session`;
const LIVE = "owner IN (SELECT owner FROM runtime_session_lease WHERE expires_at > ?)";

export class SqliteSessionLog implements SessionLog {
  readonly #connection: Connection;
  readonly #events: SessionEvents;
  readonly #clock: Clock;
  readonly #ids: IdSource;

  constructor({ database, clock = systemClock, ids = systemIds, durability }: SqliteSessionLogDeps) {
    this.#connection = new Connection("session log", database, SESSION_LOG_SCHEMA, durability);
    this.#events = new SessionEvents(this.#connection);
    this.#clock = clock;
    this.#ids = ids;
  }

  async create(
    { principal: { tenant } }: CallContext,
    session: NewSession,
  ): Promise<{ readonly record: SessionRecord; readonly created: boolean }> {
    const { id, agent, externalId, at } = session;
    return this.#connection.write(() => {
      const known = externalId === undefined ? undefined : this.#external(tenant, agent, externalId);
      if (known !== undefined) return { record: recordOf(known), created: false };
      const made = this.#connection
        .sql(
          `INSERT INTO runtime_session (id, tenant, agent, agent_version, external_id, parent, status, metadata, state,
           created_at, updated_at, wake_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
        )
        .run(
          ...[id, tenant, agent, session.agentVersion, externalId, session.parent, session.status],
          ...[JSON.stringify(session.metadata), JSON.stringify(session.state), at, at, session.wakeAt],
        );
      if (made.changes === 0) throw exists(id);
      for (const event of session.events) this.#events.place(tenant, id, event, "0:created", { owned: false });
      return { record: recordOf(this.#row(tenant, id)), created: true };
    });
  }

  async get({ principal: { tenant } }: CallContext, session: string): Promise<SessionRecord | undefined> {
    const row = this.#connection.run(() => this.#find(tenant, session));
    return row === undefined ? undefined : recordOf(row);
  }

  async find({ principal: { tenant } }: CallContext, query: SessionQuery): Promise<Page<SessionRecord>> {
    const limit = pageSize(query.limit);
    const before = query.cursor === undefined ? undefined : decodeCursor(query.cursor);
    const { where, parameters } = searchOf(tenant, query, before);
    const rows = this.#connection.run(() =>
      this.#connection.sql(`${SESSION} WHERE ${where} ORDER BY id DESC LIMIT ?`).all(...parameters, limit + 1),
    ) as SessionRow[];
    return pageOf(rows, limit, recordOf, ({ id }) => id);
  }

  async delete({ principal: { tenant } }: CallContext, session: string): Promise<void> {
    this.#connection.write(() => {
      const { number, owner } = this.#row(tenant, session);
      if (this.#inForce(owner)) throw busy(session);
      this.#events.remove(number);
      this.#connection.sql("DELETE FROM runtime_snapshot WHERE session = ?").run(number);
      this.#connection.sql("DELETE FROM runtime_session WHERE number = ?").run(number);
    });
  }

  async claim(
    { principal: { tenant } }: CallContext,
    session: string,
    { owner, from }: { readonly owner: string; readonly from?: string },
  ): Promise<Claim | undefined> {
    return this.#connection.write(() => {
      const row = this.#row(tenant, session);
      const heldBy = row.owner;
      if (from === undefined ? heldBy !== owner && this.#inForce(heldBy) : row.fence !== from) return undefined;
      const fence = `${Number.parseInt(row.fence ?? "0", 10) + 1}:${this.#ids.next("fnc").slice(-16)}`;
      const wakeAt = row.wake_at ?? this.#clock.now();
      this.#connection
        .sql("UPDATE runtime_session SET fence = ?, owner = ?, wake_at = ? WHERE number = ?")
        .run(fence, owner, wakeAt, row.number);
      const record = recordOf({ ...row, fence, owner, wake_at: wakeAt });
      return heldBy === null ? { fence, record } : { fence, record, tookOverFrom: heldBy };
    });
  }

  async append(
    { principal: { tenant } }: CallContext,
    session: string,
    fence: string,
    events: readonly NewEvent[],
    change?: SessionChange,
  ): Promise<readonly SessionEvent[]> {
    const [only] = events;
    if (only !== undefined && events.length === 1 && change === undefined) {
      return this.#connection.run(() => [this.#place(tenant, session, fence, only)]);
    }
    return this.#connection.write(() => {
      const placed = events.map((event) => this.#place(tenant, session, fence, event));
      if (events.length === 0) this.#fenced(tenant, session, fence);
      if (change !== undefined) this.#change(session, change);
      if (change?.release !== undefined) this.#giveUp(tenant, session, fence, change.release);
      return placed;
    });
  }

  async release(
    { principal: { tenant } }: CallContext,
    session: string,
    fence: string,
    options: Release,
  ): Promise<{ readonly woken: boolean }> {
    return this.#connection.write(() => ({ woken: this.#giveUp(tenant, session, fence, options) }));
  }

  async deposit(
    { principal: { tenant } }: CallContext,
    session: string,
    event: NewEvent,
    { wake = true }: { readonly wake?: boolean } = {},
  ): Promise<{ readonly event: SessionEvent; readonly duplicate: boolean }> {
    return this.#connection.write(() => {
      const { number, status, wake_at: wakeAt } = this.#row(tenant, session);
      const known = this.#events.byKey(tenant, session, event.idempotencyKey);
      if (known !== undefined) return { event: known, duplicate: true };
      if (status === "ended") throw ended(session);
      const placed = this.#events.place(tenant, session, event, INPUT_FENCE, { owned: false });
      if (placed === undefined) throw notFound(session);
      if (wake) {
        const now = this.#clock.now();
        this.#connection
          .sql("UPDATE runtime_session SET wake_at = ?, status = ? WHERE number = ?")
          .run(Math.min(wakeAt ?? now, now), status === "idle" ? "queued" : status, number);
      }
      return { event: placed, duplicate: false };
    });
  }

  async read(
    { principal: { tenant } }: CallContext,
    session: string,
    { after = 0, limit = 1000 }: { readonly after?: number; readonly limit?: number } = {},
  ): Promise<readonly SessionEvent[]> {
    return this.#connection.run(() => {
      const events = this.#events.read(tenant, session, after, limit);
      if (events.length === 0) this.#row(tenant, session);
      return events;
    });
  }

  async saveSnapshot(
    { principal: { tenant } }: CallContext,
    session: string,
    fence: string,
    { seq, body }: { readonly seq: number; readonly body: Json },
  ): Promise<void> {
    this.#connection.write(() => {
      const { number } = this.#fenced(tenant, session, fence);
      this.#connection
        .sql("INSERT OR REPLACE INTO runtime_snapshot VALUES (?, ?, ?)")
        .run(number, seq, JSON.stringify(body));
    });
  }

  async snapshot(
    { principal: { tenant } }: CallContext,
    session: string,
  ): Promise<{ readonly seq: number; readonly body: Json } | undefined> {
    const row = this.#connection.run(() => {
      const { number } = this.#row(tenant, session);
      return this.#connection.sql("SELECT seq, body FROM runtime_snapshot WHERE session = ?").get(number);
    }) as { seq: number; body: string } | undefined;
    return row === undefined ? undefined : { seq: row.seq, body: JSON.parse(row.body) as Json };
  }

  async renew(owner: string, leaseMs: number): Promise<void> {
    this.#connection.run(() =>
      this.#connection
        .sql("INSERT OR REPLACE INTO runtime_session_lease VALUES (?, ?)")
        .run(owner, this.#clock.now() + leaseMs),
    );
  }

  async expire(owner: string): Promise<void> {
    this.#connection.run(() => this.#connection.sql("DELETE FROM runtime_session_lease WHERE owner = ?").run(owner));
  }

  async owners(): Promise<readonly { readonly owner: string; readonly expiresAt: number }[]> {
    return this.#connection.run(() =>
      this.#connection
        .sql(
          `SELECT owner, coalesce(expires_at, 0) AS expiresAt
           FROM (SELECT DISTINCT owner FROM runtime_session WHERE owner IS NOT NULL)
           LEFT JOIN runtime_session_lease USING (owner)`,
        )
        .all(),
    ) as { owner: string; expiresAt: number }[];
  }

  async due({
    limit,
    after,
  }: {
    readonly limit: number;
    readonly after?: Pick<DueSession, "wakeAt" | "session">;
  }): Promise<readonly DueSession[]> {
    const now = this.#clock.now();
    const from = after?.wakeAt ?? Number.NEGATIVE_INFINITY;
    const rows = this.#connection.run(() =>
      this.#connection
        .sql(
          `SELECT id AS session, tenant, agent, wake_at AS wakeAt, state FROM runtime_session
           WHERE wake_at <= ? AND wake_at >= ? AND (wake_at, id) > (?, ?) AND (owner IS NULL OR NOT ${LIVE})
           ORDER BY wake_at, id LIMIT ?`,
        )
        .all(now, from, from, after?.session ?? "", now, limit),
    ) as (Omit<DueSession, "state"> & { state: string })[];
    return rows.map((row) => ({ ...row, state: JSON.parse(row.state) as Json }));
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  #find(tenant: string, session: string): SessionRow | undefined {
    return this.#connection.sql(`${SESSION} WHERE id = ? AND tenant = ?`).get(session, tenant) as
      | SessionRow
      | undefined;
  }

  #external(tenant: string, agent: string, externalId: string): SessionRow | undefined {
    return this.#connection
      .sql(`${SESSION} WHERE tenant = ? AND agent = ? AND external_id = ?`)
      .get(tenant, agent, externalId) as SessionRow | undefined;
  }

  #row(tenant: string, session: string): SessionRow {
    const row = this.#find(tenant, session);
    if (row === undefined) throw notFound(session);
    return row;
  }

  #fenced(tenant: string, session: string, fence: string): SessionRow {
    const row = this.#row(tenant, session);
    if (row.fence !== fence || row.owner === null) throw fenced(session);
    return row;
  }

  #place(tenant: string, session: string, fence: string, event: NewEvent): SessionEvent {
    const placed = this.#events.place(tenant, session, event, fence, { owned: true });
    if (placed !== undefined) return placed;
    this.#fenced(tenant, session, fence);
    const known = this.#events.byKey(tenant, session, event.idempotencyKey);
    if (known === undefined) throw fenced(session);
    return known;
  }

  #inForce(owner: string | null): boolean {
    const lease = this.#connection.sql("SELECT 1 FROM runtime_session_lease WHERE owner = ? AND expires_at > ?");
    return owner !== null && lease.get(owner, this.#clock.now()) !== undefined;
  }

  #giveUp(tenant: string, session: string, fence: string, { seen, wakeAt }: Release): boolean {
    const { number, status } = this.#fenced(tenant, session, fence);
    const woken = status !== "ended" && this.#events.hasInput(tenant, session, seen);
    const next = woken ? this.#clock.now() : status === "ended" ? undefined : wakeAt;
    this.#connection
      .sql("UPDATE runtime_session SET owner = NULL, wake_at = ?, status = ? WHERE number = ?")
      .run(next, woken && status === "idle" ? "queued" : status, number);
    return woken;
  }

  #change(session: string, { status, metadata, state, archivedAt }: SessionChange): void {
    this.#connection
      .sql(
        `UPDATE runtime_session SET status = coalesce(?, status), metadata = coalesce(?, metadata),
         state = coalesce(?, state), archived_at = iif(?, ?, archived_at), updated_at = ? WHERE id = ?`,
      )
      .run(
        ...[status, metadata && JSON.stringify(metadata), state === undefined ? undefined : JSON.stringify(state)],
        ...[archivedAt === undefined ? 0 : 1, archivedAt, this.#clock.now(), session],
      );
  }
}
