import type { SqliteSchema } from "../internal/sqlite.ts";

export const schema: SqliteSchema = {
  store: "gateway",
  steps: [
    `CREATE TABLE gateway_keys (
      id TEXT PRIMARY KEY,
      tenant TEXT NOT NULL,
      record TEXT NOT NULL
    ) STRICT`,
    `CREATE TABLE gateway_approvals (
      tenant TEXT NOT NULL,
      id TEXT NOT NULL,
      requested_at INTEGER NOT NULL,
      expires_at INTEGER NOT NULL,
      record TEXT NOT NULL,
      answer TEXT,
      PRIMARY KEY (tenant, id)
    ) STRICT`,
    `CREATE TABLE gateway_targets (
      tenant TEXT NOT NULL,
      name TEXT NOT NULL,
      record TEXT NOT NULL,
      PRIMARY KEY (tenant, name)
    ) STRICT;
    CREATE TABLE gateway_calls (
      tenant TEXT NOT NULL,
      id TEXT NOT NULL,
      claim TEXT NOT NULL,
      expires_at INTEGER NOT NULL,
      record TEXT NOT NULL,
      PRIMARY KEY (tenant, id)
    ) STRICT;
    CREATE INDEX gateway_calls_by_end ON gateway_calls (expires_at)`,
  ],
};
