import type { AuditEntry, AuditRow, AuditStore } from "../audit-store.ts";
import { IdentityError } from "../errors.ts";
import { failed } from "../internal/backend.ts";
import { migrate, type SqliteDatabase, type SqliteStatement } from "../internal/sqlite.ts";
import { auditSchema } from "./schema.ts";

export interface SqliteAuditStoreDeps {
  /** Taken, never closed. In WAL mode several processes may share the file. */
  readonly database: SqliteDatabase;
}

interface Row {
  readonly tenant: string;
  readonly seq: number;
  readonly at: number;
  readonly entry: string;
  readonly hash: string;
}

/** Audit rows in one SQLite table; no statement updates or deletes. */
export class SqliteAuditStore implements AuditStore {
  readonly #statements: Readonly<Record<"head" | "append" | "read", SqliteStatement>>;
  #closed = false;

  constructor({ database }: SqliteAuditStoreDeps) {
    migrate(database, auditSchema);
    this.#statements = {
      head: database.prepare("SELECT * FROM identity_audit WHERE tenant = ? ORDER BY seq DESC LIMIT 1"),
      append: database.prepare(
        `INSERT INTO identity_audit SELECT @tenant, @seq, @at, @entry, @hash
         WHERE @seq = 1 + coalesce((SELECT max(seq) FROM identity_audit WHERE tenant = @tenant), 0)`,
      ),
      read: database.prepare("SELECT * FROM identity_audit WHERE tenant = ? AND seq > ? ORDER BY seq LIMIT ?"),
    };
  }

  async head(tenant: string): Promise<AuditRow | undefined> {
    const row = this.#run(() => this.#statements.head.get(tenant));
    return row === undefined ? undefined : auditRow(row as Row);
  }

  async append(row: AuditRow): Promise<boolean> {
    const { tenant, seq, at, hash } = row;
    const entry = JSON.stringify(row.entry);
    return this.#run(() => this.#statements.append.run({ tenant, seq, at, entry, hash })).changes === 1;
  }

  async read(
    tenant: string,
    { after = 0, limit = 500 }: { after?: number; limit?: number } = {},
  ): Promise<readonly AuditRow[]> {
    return (this.#run(() => this.#statements.read.all(tenant, after, limit)) as Row[]).map(auditRow);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #run<T>(body: () => T): T {
    if (this.#closed) throw new IdentityError("IDENTITY_CLOSED", "This audit store is closed.");
    try {
      return body();
    } catch (error) {
      throw failed("SQLite", error);
    }
  }
}

const auditRow = ({ entry, ...row }: Row): AuditRow => ({ ...row, entry: JSON.parse(entry) as AuditEntry });
