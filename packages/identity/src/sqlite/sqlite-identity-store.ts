import { type Clock, type Json, type Page, systemClock } from "../dialect.ts";
import type { IdentityStore, RecordKind, RecordWrite, StoredRecord } from "../identity-store.ts";
import type { SqliteDatabase, SqliteStatement } from "../internal/sqlite.ts";
import { Connection, type Durability } from "./connection.ts";
import { recordSchema } from "./schema.ts";

export interface SqliteIdentityStoreDeps {
  /** Taken, never closed. In WAL mode several processes may share the file. */
  readonly database: SqliteDatabase;
  readonly clock?: Clock;
  /** Default `normal`. */
  readonly durability?: Durability;
}

interface Row {
  readonly id: string;
  readonly version: number;
  readonly body: string;
  readonly expires_at: number | null;
}

/** Records in one SQLite table. */
export class SqliteIdentityStore implements IdentityStore {
  readonly #clock: Clock;
  readonly #connection: Connection;
  readonly #statements: Readonly<
    Record<"get" | "getMany" | "insert" | "update" | "take" | "list" | "tenants", SqliteStatement>
  >;

  constructor({ database, clock = systemClock, durability }: SqliteIdentityStoreDeps) {
    this.#clock = clock;
    this.#connection = new Connection("identity store", database, recordSchema, durability);
    const live = "(expires_at IS NULL OR expires_at > @now)";
    this.#statements = {
      get: database.prepare(
        `SELECT id, version, body, expires_at FROM identity_records
         WHERE tenant = @tenant AND kind = @kind AND id = @id AND ${live}`,
      ),
      getMany: database.prepare(
        `SELECT id, version, body, expires_at FROM identity_records
         WHERE tenant = @tenant AND kind = @kind AND id IN (SELECT value FROM json_each(@ids)) AND ${live}`,
      ),
      insert: database.prepare(
        `INSERT INTO identity_records VALUES (@tenant, @kind, @id, 1, @body, @expiresAt)
         ON CONFLICT DO UPDATE SET version = 1, body = excluded.body, expires_at = excluded.expires_at
         WHERE identity_records.expires_at <= @now`,
      ),
      update: database.prepare(
        `UPDATE identity_records SET version = version + 1, body = @body, expires_at = @expiresAt
         WHERE tenant = @tenant AND kind = @kind AND id = @id AND version = @expected AND ${live}`,
      ),
      take: database.prepare(
        `DELETE FROM identity_records WHERE tenant = @tenant AND kind = @kind AND id = @id AND ${live}
         RETURNING id, version, body, expires_at`,
      ),
      list: database.prepare(
        `SELECT id, version, body, expires_at FROM identity_records
         WHERE tenant = @tenant AND kind = @kind AND id >= @from AND id > @cursor
           AND substr(id, 1, length(@prefix)) = @prefix AND ${live}
         ORDER BY id LIMIT @limit`,
      ),
      tenants: database.prepare("SELECT DISTINCT tenant FROM identity_records WHERE kind = ? ORDER BY tenant"),
    };
  }

  async get(tenant: string, kind: RecordKind, id: string): Promise<StoredRecord | undefined> {
    const row = this.#connection.run(() => this.#statements.get.get({ tenant, kind, id, now: this.#clock.now() }));
    return row === undefined ? undefined : record(row as Row);
  }

  async getMany(
    tenant: string,
    kind: RecordKind,
    ids: readonly string[],
  ): Promise<readonly (StoredRecord | undefined)[]> {
    const values = { tenant, kind, ids: JSON.stringify(ids), now: this.#clock.now() };
    const rows = this.#connection.run(() => this.#statements.getMany.all(values)) as Row[];
    const found = new Map(rows.map((row) => [row.id, row]));
    return ids.map((id) => {
      const row = found.get(id);
      return row && record(row);
    });
  }

  async put(tenant: string, kind: RecordKind, id: string, write: RecordWrite): Promise<StoredRecord | undefined> {
    const { expected, body, expiresAt } = write;
    const values = { tenant, kind, id, body: JSON.stringify(body), expiresAt: expiresAt ?? null };
    const { changes } = this.#connection.run(() =>
      expected === 0
        ? this.#statements.insert.run({ ...values, now: this.#clock.now() })
        : this.#statements.update.run({ ...values, expected, now: this.#clock.now() }),
    );
    if (changes === 0) return undefined;
    return { id, version: expected + 1, body, ...(expiresAt === undefined ? {} : { expiresAt }) };
  }

  async take(tenant: string, kind: RecordKind, id: string): Promise<StoredRecord | undefined> {
    const row = this.#connection.run(() => this.#statements.take.get({ tenant, kind, id, now: this.#clock.now() }));
    return row === undefined ? undefined : record(row as Row);
  }

  async list(
    tenant: string,
    kind: RecordKind,
    { prefix = "", cursor = "", limit = 100 }: { prefix?: string; cursor?: string; limit?: number } = {},
  ): Promise<Page<StoredRecord>> {
    const now = this.#clock.now();
    const rows = this.#connection.run(() =>
      this.#statements.list.all({ tenant, kind, from: prefix, prefix, cursor, limit: limit + 1, now }),
    ) as Row[];
    const items = rows.slice(0, limit).map(record);
    const last = items.at(-1);
    return rows.length > limit && last ? { items, cursor: last.id } : { items };
  }

  async tenants(kind: RecordKind): Promise<readonly string[]> {
    return this.#connection
      .run(() => this.#statements.tenants.all(kind) as { tenant: string }[])
      .map(({ tenant }) => tenant);
  }

  async close(): Promise<void> {
    this.#connection.close();
  }
}

const record = ({ id, version, body, expires_at }: Row): StoredRecord => ({
  id,
  version,
  body: JSON.parse(body) as Json,
  ...(expires_at === null ? {} : { expiresAt: expires_at }),
});
