import { type CallContext, type Clock, type IdSource, type Json, type Page, systemIds } from "../dialect.ts";
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
import { Connection } from "./connection.ts";
import type { PostgresPool } from "./postgres-client.ts";
import { SESSION_LOG_SCHEMA } from "./schema.ts";
import { type EventRow, eventOf, eventsJson, recordOf, type SessionRow } from "./session-rows.ts";
import { searchOf } from "./session-search.ts";

export interface PostgresSessionLogDeps {
  /** A `Pool` of pg; whoever opened it closes it. Its `search_path` says in which schema the tables lie. */
  readonly pool: PostgresPool;
  /** Default: the server's own, so that no worker's clock decides over a lease. */
  readonly clock?: Clock;
  readonly ids?: IdSource;
}

interface Placed {
  readonly seq: number;
  readonly known_fence: string | null;
  readonly known: string | null;
}

const LARGEST_LIMIT = 2 ** 31 - 1;
const NUMBER = "(SELECT number FROM runtime_session WHERE id = $1 AND tenant = $2)";
const FREE = "(owner IS NULL OR NOT runtime_live(owner, runtime_now($1)))";

const sources = {
  create: `
    WITH made AS (
      INSERT INTO runtime_session (id, tenant, agent, agent_version, external_id, parent, status, metadata, state,
        created_at, updated_at, wake_at, head)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, json_array_length($12))
      ON CONFLICT DO NOTHING RETURNING *),
    events AS (
      INSERT INTO runtime_event SELECT made.number, given.seq, given.type, '0:created', given.key, given.event
      FROM made, ROWS FROM (json_to_recordset($12) AS (type text, key text, event text))
        WITH ORDINALITY AS given(type, key, event, seq))
    SELECT * FROM made`,
  get: "SELECT * FROM runtime_session WHERE id = $1 AND tenant = $2",
  external: "SELECT * FROM runtime_session WHERE tenant = $1 AND agent = $2 AND external_id = $3",
  lock: "SELECT number, runtime_live(owner, runtime_now($3)) AS busy FROM runtime_session WHERE id = $1 AND tenant = $2 FOR UPDATE",
  claim: `
    UPDATE runtime_session AS session
    SET fence = split_part(coalesce(session.fence, '0'), ':', 1)::bigint + 1 || ':' || $4, owner = $3,
      wake_at = coalesce(session.wake_at, runtime_now($6))
    FROM (SELECT number, owner AS held_by FROM runtime_session WHERE id = $1 AND tenant = $2 FOR UPDATE) AS before
    WHERE session.number = before.number AND CASE WHEN $5::text IS NULL
      THEN held_by IS NULL OR held_by = $3 OR NOT runtime_live(held_by, runtime_now($6))
      ELSE session.fence = $5 END
    RETURNING session.*, held_by`,
  append: "SELECT * FROM runtime_append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
  appendAndRelease: "SELECT * FROM runtime_append_and_release($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
  release: "SELECT woken FROM runtime_release($1, $2, $3, $4, $5, $6)",
  deposit: "SELECT * FROM runtime_deposit($1, $2, $3, $4, $5, $6, $7)",
  read: `SELECT seq, fence, event FROM runtime_event WHERE session = ${NUMBER} AND seq > $3 ORDER BY seq LIMIT $4`,
  saveSnapshot: `
    INSERT INTO runtime_snapshot SELECT number, $4, $5 FROM runtime_session
    WHERE id = $1 AND tenant = $2 AND fence = $3 AND owner IS NOT NULL FOR NO KEY UPDATE
    ON CONFLICT (session) DO UPDATE SET seq = excluded.seq, body = excluded.body RETURNING session`,
  snapshot: `
    SELECT snapshot.seq, snapshot.body FROM runtime_session LEFT JOIN runtime_snapshot AS snapshot ON session = number
    WHERE id = $1 AND tenant = $2`,
  renew: `
    INSERT INTO runtime_session_lease VALUES ($1, runtime_now($3) + $2)
    ON CONFLICT (owner) DO UPDATE SET expires_at = excluded.expires_at`,
  expire: "DELETE FROM runtime_session_lease WHERE owner = $1",
  owners: `
    SELECT owner, coalesce(expires_at, 0) AS "expiresAt"
    FROM (SELECT DISTINCT owner FROM runtime_session WHERE owner IS NOT NULL) AS claims
    LEFT JOIN runtime_session_lease USING (owner)`,
  due: `
    SELECT id AS session, tenant, agent, wake_at AS "wakeAt", state FROM runtime_session
    WHERE wake_at <= runtime_now($1) AND ($3::float8 IS NULL OR (wake_at, id) > ($3, $4)) AND ${FREE}
    ORDER BY wake_at, id LIMIT $2`,
};

export class PostgresSessionLog implements SessionLog {
  readonly #connection: Connection;
  readonly #clock: Clock | undefined;
  readonly #ids: IdSource;

  constructor({ pool, clock, ids = systemIds }: PostgresSessionLogDeps) {
    this.#connection = new Connection("session log", pool, SESSION_LOG_SCHEMA);
    this.#clock = clock;
    this.#ids = ids;
  }

  async create(
    { principal: { tenant } }: CallContext,
    session: NewSession,
  ): Promise<{ readonly record: SessionRecord; readonly created: boolean }> {
    const { id, agent, externalId, at } = session;
    const keys = new Set<string>();
    const first = ({ idempotencyKey: key }: NewEvent) => key === undefined || (!keys.has(key) && keys.add(key));
    const made = await this.#connection.row<SessionRow>(
      sources.create,
      ...[id, tenant, agent, session.agentVersion, externalId, session.parent, session.status],
      ...[JSON.stringify(session.metadata), JSON.stringify(session.state), at, session.wakeAt],
      eventsJson(session.events.filter(first)),
    );
    if (made !== undefined) return { record: recordOf(made), created: true };
    const known =
      externalId === undefined
        ? undefined
        : await this.#connection.row<SessionRow>(sources.external, tenant, agent, externalId);
    if (known === undefined) throw exists(id);
    return { record: recordOf(known), created: false };
  }

  async get({ principal: { tenant } }: CallContext, session: string): Promise<SessionRecord | undefined> {
    const row = await this.#connection.row<SessionRow>(sources.get, session, tenant);
    return row === undefined ? undefined : recordOf(row);
  }

  async find({ principal: { tenant } }: CallContext, query: SessionQuery): Promise<Page<SessionRecord>> {
    const limit = pageSize(query.limit);
    const before = query.cursor === undefined ? undefined : decodeCursor(query.cursor);
    const { where, parameters } = searchOf(tenant, query, before);
    const text = `SELECT * FROM runtime_session WHERE ${where} ORDER BY id DESC LIMIT $${parameters.length + 1}`;
    const rows = await this.#connection.rows<SessionRow>(text, ...parameters, limit + 1);
    return pageOf(rows, limit, recordOf, ({ id }) => id);
  }

  async delete({ principal: { tenant } }: CallContext, session: string): Promise<void> {
    await this.#connection.transaction(async (query) => {
      const { rows } = await query(sources.lock, session, tenant, this.#now());
      const row = rows[0] as { number: string; busy: boolean } | undefined;
      if (row === undefined) throw notFound(session);
      if (row.busy) throw busy(session);
      await query("DELETE FROM runtime_event WHERE session = $1", row.number);
      await query("DELETE FROM runtime_snapshot WHERE session = $1", row.number);
      await query("DELETE FROM runtime_session WHERE number = $1", row.number);
    });
  }

  async claim(
    context: CallContext,
    session: string,
    { owner, from }: { readonly owner: string; readonly from?: string },
  ): Promise<Claim | undefined> {
    const nonce = this.#ids.next("fnc").slice(-16);
    const row = await this.#connection.row<SessionRow & { held_by: string | null }>(
      sources.claim,
      ...[session, context.principal.tenant, owner, nonce, from, this.#now()],
    );
    if (row === undefined) {
      await this.#existing(context, session);
      return undefined;
    }
    const claim: Claim = { fence: row.fence ?? "", record: recordOf(row) };
    return row.held_by === null ? claim : { ...claim, tookOverFrom: row.held_by };
  }

  async append(
    context: CallContext,
    session: string,
    fence: string,
    events: readonly NewEvent[],
    change?: SessionChange,
  ): Promise<readonly SessionEvent[]> {
    const { tenant } = context.principal;
    const { status, metadata, state, archivedAt, release } = change ?? {};
    const placed = await this.#connection.rows<Placed>(
      release === undefined ? sources.append : sources.appendAndRelease,
      ...[tenant, session, fence, eventsJson(events), change !== undefined, status],
      ...[metadata && JSON.stringify(metadata), state === undefined ? undefined : JSON.stringify(state)],
      ...[archivedAt !== undefined, archivedAt, this.#now()],
      ...(release === undefined ? [] : [Math.min(release.seen, LARGEST_LIMIT), release.wakeAt]),
    );
    if (placed[0]?.seq === 0) return this.#refused(context, session);
    return placed.map((row, index) => eventAt(row, fence, events[index], tenant, session));
  }

  async release(
    context: CallContext,
    session: string,
    fence: string,
    { seen, wakeAt }: Release,
  ): Promise<{ readonly woken: boolean }> {
    const most = Math.min(seen, LARGEST_LIMIT);
    const { woken } =
      (await this.#connection.row<{ woken: boolean | null }>(
        sources.release,
        ...[context.principal.tenant, session, fence, most, wakeAt, this.#now()],
      )) ?? {};
    return typeof woken === "boolean" ? { woken } : this.#refused(context, session);
  }

  async deposit(
    { principal: { tenant } }: CallContext,
    session: string,
    event: NewEvent,
    { wake = true }: { readonly wake?: boolean } = {},
  ): Promise<{ readonly event: SessionEvent; readonly duplicate: boolean }> {
    const placed = await this.#connection.row<Placed & { outcome: "placed" | "known" | "absent" | "ended" }>(
      sources.deposit,
      ...[tenant, session, event.type, event.idempotencyKey, JSON.stringify(event), wake, this.#now()],
    );
    if (placed === undefined || placed.outcome === "absent") throw notFound(session);
    if (placed.outcome === "ended") throw ended(session);
    return {
      event: eventAt(placed, INPUT_FENCE, event, tenant, session),
      duplicate: placed.outcome === "known",
    };
  }

  async read(
    context: CallContext,
    session: string,
    { after = 0, limit = 1000 }: { readonly after?: number; readonly limit?: number } = {},
  ): Promise<readonly SessionEvent[]> {
    const { tenant } = context.principal;
    const most = Math.max(0, Math.min(Math.trunc(limit), LARGEST_LIMIT));
    const from = Math.min(after, LARGEST_LIMIT);
    const rows = await this.#connection.rows<EventRow>(sources.read, session, tenant, from, most);
    if (rows.length === 0) await this.#existing(context, session);
    return rows.map((row) => eventOf(row, tenant, session));
  }

  async saveSnapshot(
    context: CallContext,
    session: string,
    fence: string,
    { seq, body }: { readonly seq: number; readonly body: Json },
  ): Promise<void> {
    const { tenant } = context.principal;
    const text = JSON.stringify(body);
    const saved = await this.#connection.row(sources.saveSnapshot, session, tenant, fence, seq, text);
    if (saved === undefined) await this.#refused(context, session);
  }

  async snapshot(
    { principal: { tenant } }: CallContext,
    session: string,
  ): Promise<{ readonly seq: number; readonly body: Json } | undefined> {
    const row = await this.#connection.row<{ seq: number; body: string | null }>(sources.snapshot, session, tenant);
    if (row === undefined) throw notFound(session);
    return row.body === null ? undefined : { seq: row.seq, body: JSON.parse(row.body) as Json };
  }

  async renew(owner: string, leaseMs: number): Promise<void> {
    await this.#connection.rows(sources.renew, owner, leaseMs, this.#now());
  }

  async expire(owner: string): Promise<void> {
    await this.#connection.rows(sources.expire, owner);
  }

  async owners(): Promise<readonly { readonly owner: string; readonly expiresAt: number }[]> {
    return this.#connection.rows(sources.owners);
  }

  async due({
    limit,
    after,
  }: {
    readonly limit: number;
    readonly after?: Pick<DueSession, "wakeAt" | "session">;
  }): Promise<readonly DueSession[]> {
    const rows = await this.#connection.rows<Omit<DueSession, "state"> & { state: string }>(
      sources.due,
      ...[this.#now(), limit, after?.wakeAt, after?.session],
    );
    return rows.map((row) => ({ ...row, state: JSON.parse(row.state) as Json }));
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  /** Absent: the server's time counts. */
  #now(): number | undefined {
    return this.#clock?.now();
  }

  async #existing(context: CallContext, session: string): Promise<SessionRecord> {
    const record = await this.get(context, session);
    if (record === undefined) throw notFound(session);
    return record;
  }

  async #refused(context: CallContext, session: string): Promise<never> {
    await this.#existing(context, session);
    throw fenced(session);
  }
}

/** The event that was written, or the earlier one under its key. */
function eventAt(
  { seq, known, known_fence }: Placed,
  fence: string,
  event: NewEvent | undefined,
  tenant: string,
  session: string,
): SessionEvent {
  const text = known ?? JSON.stringify(event);
  return eventOf({ seq, fence: known_fence ?? fence, event: text }, tenant, session);
}
