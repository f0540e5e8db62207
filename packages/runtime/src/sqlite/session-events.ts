import { INPUT_FENCE, type NewEvent, type SessionEvent } from "../session-event.ts";
import type { Connection } from "./connection.ts";
import { type EventRow, eventColumns, eventOf } from "./session-rows.ts";

/** The `seq` of the last event, found at the end of the index: its cost does not depend on the log's length. */
export const HEAD = "coalesce((SELECT max(seq) FROM runtime_event WHERE session = number), 0)";

const COLUMNS =
  "seq, id, type, at, fence, turn, step, attempt, idempotency_key, traceparent, schema_version, body, blob";
const UNLESS_KNOWN = "ON CONFLICT (session, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING";
const INSERT = `
  INSERT INTO runtime_event (session, ${COLUMNS}) SELECT number, ${HEAD} + 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
  FROM runtime_session WHERE`;
const NUMBER = "(SELECT number FROM runtime_session WHERE id = ? AND tenant = ?)";

const sources = {
  place: `${INSERT} id = ? AND tenant = ? ${UNLESS_KNOWN} RETURNING seq`,
  placeFenced: `${INSERT} id = ? AND tenant = ? AND fence = ? AND owner IS NOT NULL ${UNLESS_KNOWN} RETURNING seq`,
  byKey: `SELECT ${COLUMNS} FROM runtime_event WHERE session = ${NUMBER} AND idempotency_key = ?`,
  read: `SELECT ${COLUMNS} FROM runtime_event WHERE session = ${NUMBER} AND seq > ? ORDER BY seq LIMIT ?`,
  input: `SELECT 1 FROM runtime_event WHERE session = ${NUMBER} AND seq > ? AND fence = ? LIMIT 1`,
  remove: "DELETE FROM runtime_event WHERE session = ?",
};

const LARGEST_LIMIT = 2 ** 31 - 1;

/** The events of all sessions. A fenced event is checked, placed and written by one statement. */
export class SessionEvents {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Written, or the earlier one under its key; `undefined` when the session, or under `owned` its claim, is not there. */
  place(
    tenant: string,
    session: string,
    event: NewEvent,
    fence: string,
    { owned }: { readonly owned: boolean },
  ): SessionEvent | undefined {
    const values = [...eventColumns(event, fence), session, tenant];
    const row = owned
      ? this.#connection.sql(sources.placeFenced).get(...values, fence)
      : this.#connection.sql(sources.place).get(...values);
    return row === undefined ? undefined : { ...event, tenant, session, seq: (row as { seq: number }).seq, fence };
  }

  byKey(tenant: string, session: string, key: string | undefined): SessionEvent | undefined {
    if (key === undefined) return undefined;
    const row = this.#connection.sql(sources.byKey).get(session, tenant, key) as EventRow | undefined;
    return row === undefined ? undefined : eventOf(row, tenant, session);
  }

  read(tenant: string, session: string, after: number, limit: number): readonly SessionEvent[] {
    const most = Math.max(0, Math.min(Math.trunc(limit), LARGEST_LIMIT));
    const rows = this.#connection.sql(sources.read).all(session, tenant, after, most) as EventRow[];
    return rows.map((row) => eventOf(row, tenant, session));
  }

  hasInput(tenant: string, session: string, after: number): boolean {
    return this.#connection.sql(sources.input).get(session, tenant, after, INPUT_FENCE) !== undefined;
  }

  remove(number: number): void {
    this.#connection.sql(sources.remove).run(number);
  }
}
