import {
  type CallContext,
  type Clock,
  type IdSource,
  type Json,
  type Page,
  systemClock,
  systemIds,
} from "../dialect.ts";
import { backend } from "../internal/driver-errors.ts";
import { decodeCursor, pageOf, pageSize } from "../internal/paging.ts";
import { busy, ended, exists, fenced, notFound } from "../internal/session-errors.ts";
import { migrate, type SqliteDatabase, type SqliteStatement } from "../internal/sqlite.ts";
import { INPUT_FENCE, type NewEvent, type SessionEvent } from "../session-event.ts";
import type {
  Claim,
  DueSession,
  NewSession,
  SessionChange,
  SessionLog,
  SessionQuery,
  SessionRecord,
} from "../session-log.ts";
import { type Durability, prepareDatabase, SESSION_LOG_SCHEMA } from "./schema.ts";
import { type EventRow, eventColumns, eventOf, recordOf, type SessionRow } from "./session-rows.ts";

export interface SqliteSessionLogDeps {
  /** A better-sqlite3 `Database`; whoever opened it closes it. WAL is switched on. */
  readonly database: SqliteDatabase;
  readonly clock?: Clock;
  readonly ids?: IdSource;
  /** Default `normal`. Holds for the whole connection. */
  readonly durability?: Durability;
}

const HEAD = "coalesce((SELECT max(seq) FROM runtime_event WHERE session = runtime_session.id), 0)";
const EVENT =
  "session, seq, id, type, at, fence, turn, step, attempt, idempotency_key, traceparent, schema_version, body, blob";
const PLACES = Array(12).fill("?").join(", ");
const LIVE =
  "EXISTS (SELECT 1 FROM runtime_session_lease AS lease WHERE lease.owner = runtime_session.owner AND expires_at > ?)";

export class SqliteSessionLog implements SessionLog {
  readonly #database: SqliteDatabase;
  readonly #clock: Clock;
  readonly #ids: IdSource;
  readonly #statements = new Map<string, SqliteStatement>();

  constructor({ database, clock = systemClock, ids = systemIds, durability = "normal" }: SqliteSessionLogDeps) {
    this.#database = database;
    this.#clock = clock;
    this.#ids = ids;
    prepareDatabase(database, durability);
    migrate(database, SESSION_LOG_SCHEMA);
  }

  async create(
    { principal: { tenant } }: CallContext,
    session: NewSession,
  ): Promise<{ readonly record: SessionRecord; readonly created: boolean }> {
    return this.#write(() => {
      const { id, agent, externalId = null, at } = session;
      const known =
        externalId === null
          ? undefined
          : this.#row("WHERE tenant = ? AND agent = ? AND external_id = ?", tenant, agent, externalId);
      if (known !== undefined) return { record: recordOf(known), created: false };
      const made = this.#sql(
        `INSERT INTO runtime_session (id, tenant, agent, agent_version, external_id, parent, status, metadata, state, created_at,
         updated_at, wake_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
      ).run(
        ...[id, tenant, agent, session.agentVersion, externalId, session.parent ?? null, session.status],
        ...[JSON.stringify(session.metadata), JSON.stringify(session.state), at, at, session.wakeAt ?? null],
      );
      if (made.changes === 0) throw exists(id);
      for (const event of session.events) this.#place(tenant, id, event, "0:created");
      return { record: this.#record(tenant, id), created: true };
    });
  }

  async get({ principal: { tenant } }: CallContext, session: string): Promise<SessionRecord | undefined> {
    const row = this.#row("WHERE id = ? AND tenant = ?", session, tenant);
    return row === undefined ? undefined : recordOf(row);
  }

  async find({ principal: { tenant } }: CallContext, query: SessionQuery): Promise<Page<SessionRecord>> {
    const limit = pageSize(query.limit);
    const terms: [string, ...unknown[]][] = [
      ["tenant = ?", tenant],
      [query.archived === true ? "archived_at IS NOT NULL" : "archived_at IS NULL"],
    ];
    const columns = { status: "status", agent: "agent", externalId: "external_id", parent: "parent" } as const;
    for (const [name, column] of Object.entries(columns)) {
      const value = query[name as keyof typeof columns];
      if (value !== undefined) terms.push([`${column} = ?`, value]);
    }
    for (const [key, value] of Object.entries(query.metadata ?? {})) {
      terms.push([
        "EXISTS (SELECT 1 FROM json_each(metadata) WHERE key = ? AND value IS ? AND type = ?)",
        key,
        typeof value === "boolean" ? Number(value) : value,
        typeof value === "boolean" ? String(value) : typeof value === "string" ? "text" : jsonNumber(value),
      ]);
    }
    if (query.cursor !== undefined) terms.push(["id < ?", decodeCursor(query.cursor)]);
    const where = terms.map(([term]) => term).join(" AND ");
    const rows = this.#sql(
      `SELECT runtime_session.*, ${HEAD} AS head FROM runtime_session WHERE ${where} ORDER BY id DESC LIMIT ?`,
    ).all(...terms.flatMap(([, ...values]) => values), limit + 1) as SessionRow[];
    return pageOf(rows, limit, recordOf, ({ id }) => id);
  }

  async delete({ principal: { tenant } }: CallContext, session: string): Promise<void> {
    this.#write(() => {
      this.#record(tenant, session);
      const held = this.#sql(`SELECT 1 FROM runtime_session WHERE id = ? AND ${LIVE}`).get(session, this.#clock.now());
      if (held !== undefined) throw busy(session);
      for (const table of ["event", "snapshot"])
        this.#sql(`DELETE FROM runtime_${table} WHERE session = ?`).run(session);
      this.#sql("DELETE FROM runtime_session WHERE id = ?").run(session);
    });
  }

  async claim(
    { principal: { tenant } }: CallContext,
    session: string,
    { owner, from }: { readonly owner: string; readonly from?: string },
  ): Promise<Claim | undefined> {
    return this.#write(() => {
      const now = this.#clock.now();
      const before = this.#record(tenant, session);
      const held = before.owner !== undefined && before.owner !== owner && this.#inForce(before.owner, now);
      if (from === undefined ? held : before.fence !== from) return undefined;
      const fence = `${Number.parseInt(before.fence ?? "0", 10) + 1}:${this.#ids.next("fnc").slice(-16)}`;
      this.#sql("UPDATE runtime_session SET fence = ?, owner = ?, wake_at = coalesce(wake_at, ?) WHERE id = ?").run(
        ...[fence, owner, now, session],
      );
      const record = { ...before, fence, owner, wakeAt: before.wakeAt ?? now };
      return before.owner === undefined ? { fence, record } : { fence, record, tookOverFrom: before.owner };
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
    if (events.length === 1 && change === undefined && only !== undefined) {
      return backend("session log", () => [this.#placeFenced(tenant, session, only, fence)]);
    }
    return this.#write(() => {
      const placed = events.map((event) => this.#placeFenced(tenant, session, event, fence));
      if (events.length === 0) this.#checkFence(tenant, session, fence);
      if (change !== undefined) this.#change(session, change);
      return placed;
    });
  }

  async release(
    { principal: { tenant } }: CallContext,
    session: string,
    fence: string,
    { seen, wakeAt }: { readonly seen: number; readonly wakeAt?: number },
  ): Promise<{ readonly woken: boolean }> {
    return this.#write(() => {
      this.#checkFence(tenant, session, fence);
      const { status } = this.#record(tenant, session);
      const unseen =
        status !== "ended" &&
        this.#sql("SELECT 1 FROM runtime_event WHERE session = ? AND seq > ? AND fence = ? LIMIT 1").get(
          ...[session, seen, INPUT_FENCE],
        ) !== undefined;
      const next = unseen ? this.#clock.now() : status === "ended" ? null : (wakeAt ?? null);
      this.#sql("UPDATE runtime_session SET owner = NULL, wake_at = ?, status = ? WHERE id = ?").run(
        ...[next, unseen && status === "idle" ? "queued" : status, session],
      );
      return { woken: unseen };
    });
  }

  async deposit(
    { principal: { tenant } }: CallContext,
    session: string,
    event: NewEvent,
    { wake = true }: { readonly wake?: boolean } = {},
  ): Promise<{ readonly event: SessionEvent; readonly duplicate: boolean }> {
    return this.#write(() => {
      const { status } = this.#record(tenant, session);
      const known = this.#byKey(tenant, session, event);
      if (known !== undefined) return { event: known, duplicate: true };
      if (status === "ended") throw ended(session);
      const seq = this.#place(tenant, session, event, INPUT_FENCE);
      if (wake) {
        this.#sql(
          `UPDATE runtime_session SET wake_at = min(coalesce(wake_at, @now), @now),
           status = CASE status WHEN 'idle' THEN 'queued' ELSE status END WHERE id = @session`,
        ).run({ now: this.#clock.now(), session });
      }
      return { event: { ...event, tenant, session, seq, fence: INPUT_FENCE }, duplicate: false };
    });
  }

  async read(
    { principal: { tenant } }: CallContext,
    session: string,
    { after = 0, limit = 1000 }: { readonly after?: number; readonly limit?: number } = {},
  ): Promise<readonly SessionEvent[]> {
    this.#checkExists(tenant, session);
    const rows = this.#sql(`SELECT ${EVENT} FROM runtime_event WHERE session = ? AND seq > ? ORDER BY seq LIMIT ?`).all(
      ...[session, after, limit],
    ) as EventRow[];
    return rows.map((row) => eventOf(row, tenant));
  }

  async saveSnapshot(
    { principal: { tenant } }: CallContext,
    session: string,
    fence: string,
    snapshot: { readonly seq: number; readonly body: Json },
  ): Promise<void> {
    this.#write(() => {
      this.#checkFence(tenant, session, fence);
      this.#sql("INSERT OR REPLACE INTO runtime_snapshot VALUES (?, ?, ?)").run(
        ...[session, snapshot.seq, JSON.stringify(snapshot.body)],
      );
    });
  }

  async snapshot(
    { principal: { tenant } }: CallContext,
    session: string,
  ): Promise<{ readonly seq: number; readonly body: Json } | undefined> {
    this.#checkExists(tenant, session);
    const row = this.#sql("SELECT seq, body FROM runtime_snapshot WHERE session = ?").get(session);
    const found = row as { seq: number; body: string } | undefined;
    return found === undefined ? undefined : { seq: found.seq, body: JSON.parse(found.body) as Json };
  }

  async renew(owner: string, leaseMs: number): Promise<void> {
    backend("session log", () =>
      this.#sql("INSERT OR REPLACE INTO runtime_session_lease VALUES (?, ?)").run(owner, this.#clock.now() + leaseMs),
    );
  }

  async expire(owner: string): Promise<void> {
    backend("session log", () => this.#sql("DELETE FROM runtime_session_lease WHERE owner = ?").run(owner));
  }

  async owners(): Promise<readonly { readonly owner: string; readonly expiresAt: number }[]> {
    return backend("session log", () =>
      this.#sql(
        `SELECT owner, coalesce(expires_at, 0) AS expiresAt
         FROM (SELECT DISTINCT owner FROM runtime_session WHERE owner IS NOT NULL)
         LEFT JOIN runtime_session_lease USING (owner)`,
      ).all(),
    ) as { owner: string; expiresAt: number }[];
  }

  async due({ limit }: { readonly limit: number }): Promise<readonly DueSession[]> {
    const now = this.#clock.now();
    const rows = backend("session log", () =>
      this.#sql(
        `SELECT id AS session, tenant, agent, wake_at AS wakeAt, state FROM runtime_session
         WHERE wake_at <= ? AND (owner IS NULL OR NOT ${LIVE}) ORDER BY wake_at LIMIT ?`,
      ).all(now, now, limit),
    ) as (Omit<DueSession, "state"> & { state: string })[];
    return rows.map((row) => ({ ...row, state: JSON.parse(row.state) }));
  }

  async close(): Promise<void> {
    this.#statements.clear();
  }

  #write<T>(body: () => T): T {
    return backend("session log", () => this.#database.transaction(body).immediate());
  }

  #sql(source: string): SqliteStatement {
    let statement = this.#statements.get(source);
    if (statement === undefined) {
      statement = this.#database.prepare(source);
      this.#statements.set(source, statement);
    }
    return statement;
  }

  #row(where: string, ...values: readonly unknown[]): SessionRow | undefined {
    return this.#sql(`SELECT runtime_session.*, ${HEAD} AS head FROM runtime_session ${where}`).get(...values) as
      | SessionRow
      | undefined;
  }

  #record(tenant: string, session: string): SessionRecord {
    const row = this.#row("WHERE id = ? AND tenant = ?", session, tenant);
    if (row === undefined) throw notFound(session);
    return recordOf(row);
  }

  #checkExists(tenant: string, session: string): void {
    if (this.#sql("SELECT 1 FROM runtime_session WHERE id = ? AND tenant = ?").get(session, tenant) === undefined) {
      throw notFound(session);
    }
  }

  #checkFence(tenant: string, session: string, fence: string): void {
    this.#checkExists(tenant, session);
    const row = this.#sql("SELECT 1 FROM runtime_session WHERE id = ? AND fence = ? AND owner IS NOT NULL").get(
      session,
      fence,
    );
    if (row === undefined) throw fenced(session);
  }

  #inForce(owner: string, now: number): boolean {
    return (
      this.#sql("SELECT 1 FROM runtime_session_lease WHERE owner = ? AND expires_at > ?").get(owner, now) !== undefined
    );
  }

  #byKey(tenant: string, session: string, { idempotencyKey }: NewEvent): SessionEvent | undefined {
    if (idempotencyKey === undefined) return undefined;
    const row = this.#sql(`SELECT ${EVENT} FROM runtime_event WHERE session = ? AND idempotency_key = ?`).get(
      ...[session, idempotencyKey],
    ) as EventRow | undefined;
    return row === undefined ? undefined : eventOf(row, tenant);
  }

  #place(tenant: string, session: string, event: NewEvent, fence: string): number {
    const known = this.#byKey(tenant, session, event);
    if (known !== undefined) return known.seq;
    const row = this.#sql(
      `INSERT INTO runtime_event (${EVENT}) SELECT id, ${HEAD} + 1, ${PLACES} FROM runtime_session WHERE id = ? RETURNING seq`,
    ).get(...eventColumns(event, fence), session) as { seq: number };
    return row.seq;
  }

  /** One statement looks the fence up, finds the place and writes: its cost does not depend on the log's length. */
  #placeFenced(tenant: string, session: string, event: NewEvent, fence: string): SessionEvent {
    const row = this.#sql(
      `INSERT INTO runtime_event (${EVENT}) SELECT id, ${HEAD} + 1, ${PLACES}
       FROM runtime_session WHERE id = ? AND tenant = ? AND fence = ? AND owner IS NOT NULL
       ON CONFLICT (session, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING RETURNING seq`,
    ).get(...eventColumns(event, fence), session, tenant, fence) as { seq: number } | undefined;
    if (row !== undefined) return { ...event, tenant, session, seq: row.seq, fence };
    this.#checkFence(tenant, session, fence);
    const known = this.#byKey(tenant, session, event);
    if (known === undefined) throw fenced(session);
    return known;
  }

  #change(session: string, change: SessionChange): void {
    const terms: [string, unknown][] = [["updated_at", this.#clock.now()]];
    if (change.status !== undefined) terms.push(["status", change.status]);
    if (change.metadata !== undefined) terms.push(["metadata", JSON.stringify(change.metadata)]);
    if (change.state !== undefined) terms.push(["state", JSON.stringify(change.state)]);
    if (change.archivedAt !== undefined) terms.push(["archived_at", change.archivedAt]);
    this.#sql(`UPDATE runtime_session SET ${terms.map(([column]) => `${column} = ?`).join(", ")} WHERE id = ?`).run(
      ...terms.map(([, value]) => value),
      session,
    );
  }
}

const jsonNumber = (value: number): string => (Number.isInteger(value) ? "integer" : "real");
