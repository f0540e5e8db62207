import type { SqliteSchema } from "../internal/sqlite.ts";

export const recordSchema: SqliteSchema = {
  store: "identity records",
  steps: [
    `CREATE TABLE identity_records (
       tenant TEXT NOT NULL,
       kind TEXT NOT NULL,
       id TEXT NOT NULL,
       version INTEGER NOT NULL,
       body TEXT NOT NULL,
       expires_at INTEGER,
       PRIMARY KEY (tenant, kind, id)
     ) STRICT, WITHOUT ROWID`,
  ],
};

export const auditSchema: SqliteSchema = {
  store: "identity audit",
  steps: [
    `CREATE TABLE identity_audit (
       tenant TEXT NOT NULL,
       seq INTEGER NOT NULL,
       at INTEGER NOT NULL,
       entry TEXT NOT NULL,
       hash TEXT NOT NULL,
       PRIMARY KEY (tenant, seq)
     ) STRICT, WITHOUT ROWID`,
  ],
};
