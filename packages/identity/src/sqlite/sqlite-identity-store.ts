import { type Clock, type Json, type Page, systemClock } from "../dialect.ts";
import { IdentityError } from "../errors.ts";
import type { IdentityStore, RecordKind, RecordWrite, StoredRecord } from "../identity-store.ts";
import { failed } from "../internal/backend.ts";
import { migrate, type SqliteDatabase, type SqliteStatement } from "../internal/sqlite.ts";
import { recordSchema } from "./schema.ts";

export interface SqliteIdentityStoreDeps {
  /** Taken, never closed. In WAL mode several processes may share the file. */
  readonly database: SqliteDatabase;
  readonly clock?: Clock;
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
  readonly #statements: Readonly<Record<"get" | "insert" | "update" | "take" | "list" | "tenants", SqliteStatement>>;
  #closed = false;

  constructor({ database, clock = systemClock }: SqliteIdentityStoreDeps) {
    this.#clock = clock;
    migrate(database, recordSchema);
    const live = "(expires_at IS NULL OR expires_at > @now)";
    this.#statements = {
      get: database.prepare(
        `SELECT id, version, body, expires_at FROM identity_records
         WHERE tenant = @tenant AND kind = @kind AND id = @id AND ${live}`,
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
    const row = this.#run(() => this.#statements.get.get({ tenant, kind, id, now: this.#clock.now() }));
    return row === undefined ? undefined : record(row as Row);
  }

  async put(tenant: string, kind: RecordKind, id: string, write: RecordWrite): Promise<StoredRecord | undefined> {
    const { expected, body, expiresAt } = write;
    const values = { tenant, kind, id, body: JSON.stringify(body), expiresAt: expiresAt ?? null };
    const { changes } = this.#run(() =>
      expected === 0
        ? this.#statements.insert.run({ ...values, now: this.#clock.now() })
        : this.#statements.update.run({ ...values, expected, now: this.#clock.now() }),
    );
    if (changes === 0) return undefined;
    return { id, version: expected + 1, body, ...(expiresAt === undefined ? {} : { expiresAt }) };
  }

  async take(tenant: string, kind: RecordKind, id: string): Promise<StoredRecord | undefined> {
    const row = this.#run(() => this.#statements.take.get({ tenant, kind, id, now: this.#clock.now() }));
    return row === undefined ? undefined : record(row as Row);
  }

  async list(
    tenant: string,
    kind: RecordKind,
    { prefix = "", cursor = "", limit = 100 }: { prefix?: string; cursor?: string; limit?: number } = {},
  ): Promise<Page<StoredRecord>> {
    const now = this.#clock.now();
    const rows = this.#run(() =>
      this.#statements.list.all({ tenant, kind, from: prefix, prefix, cursor, limit: limit + 1, now }),
    ) as Row[];
    const items = rows.slice(0, limit).map(record);
    const last = items.at(-1);
    return rows.length > limit && last ? { items, cursor: last.id } : { items };
  }

  async tenants(kind: RecordKind): Promise<readonly string[]> {
    return this.#run(() => this.#statements.tenants.all(kind) as { tenant: string }[]).map(({ tenant }) => tenant);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #run<T>(body: () => T): T {
    if (this.#closed) throw new IdentityError("IDENTITY_CLOSED", "This identity store is closed.");
    try {
      return body();
    } catch (error) {
      throw failed("SQLite", error);
    }
  }
}

const record = ({ id, version, body, expires_at }: Row): StoredRecord => ({
  id,
  version,
  body: JSON.parse(body) as Json,
  ...(expires_at === null ? {} : { expiresAt: expires_at }),
});
