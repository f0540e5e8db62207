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
  ],
};
