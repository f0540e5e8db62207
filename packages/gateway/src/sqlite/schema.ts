import type { SqliteSchema } from "../internal/sqlite.ts";

export const schema: SqliteSchema = {
  store: "gateway",
  steps: [
    `CREATE TABLE gateway_keys (
      id TEXT PRIMARY KEY,
      tenant TEXT NOT NULL,
      record TEXT NOT NULL
    ) STRICT`,
  ],
};
