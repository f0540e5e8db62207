import type { AuditEntry, AuditRow, AuditStore } from "../audit-store.ts";
import type { SqliteDatabase, SqliteStatement } from "../internal/sqlite.ts";
import { Connection, type Durability } from "./connection.ts";
import { auditSchema } from "./schema.ts";

export interface SqliteAuditStoreDeps {
  /** Taken, never closed. In WAL mode several processes may share the file. */
  readonly database: SqliteDatabase;
  /** Default `normal`. With `full` no use of a credential is missing from the audit, also when the power fails. */
  readonly durability?: Durability;
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
  readonly #connection: Connection;
  readonly #statements: Readonly<Record<"head" | "append" | "read", SqliteStatement>>;

  constructor({ database, durability }: SqliteAuditStoreDeps) {
    this.#connection = new Connection("audit store", database, auditSchema, durability);
    this.#statements = {
      head: database.prepare("SELECT * FROM identity_audit WHERE tenant = ? ORDER BY seq DESC LIMIT 1"),
      append: database.prepare(
        `INSERT OR IGNORE INTO identity_audit SELECT @tenant, @seq, @at, @entry, @hash
         WHERE @seq = 1 OR EXISTS (SELECT 1 FROM identity_audit WHERE tenant = @tenant AND seq = @seq - 1)`,
      ),
      read: database.prepare("SELECT * FROM identity_audit WHERE tenant = ? AND seq > ? ORDER BY seq LIMIT ?"),
    };
  }

  async head(tenant: string): Promise<AuditRow | undefined> {
    const row = this.#connection.run(() => this.#statements.head.get(tenant));
    return row === undefined ? undefined : auditRow(row as Row);
  }

  async append(row: AuditRow): Promise<boolean> {
    const { tenant, seq, at, hash } = row;
    const entry = JSON.stringify(row.entry);
    return this.#connection.run(() => this.#statements.append.run({ tenant, seq, at, entry, hash })).changes === 1;
  }

  async read(
    tenant: string,
    { after = 0, limit = 500 }: { after?: number; limit?: number } = {},
  ): Promise<readonly AuditRow[]> {
    return (this.#connection.run(() => this.#statements.read.all(tenant, after, limit)) as Row[]).map(auditRow);
  }

  async close(): Promise<void> {
    this.#connection.close();
  }
}

const auditRow = ({ entry, ...row }: Row): AuditRow => ({ ...row, entry: JSON.parse(entry) as AuditEntry });
