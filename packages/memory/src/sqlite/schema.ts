import type { SqliteSchema } from "../internal/sqlite.ts";

/** Tables without rowid: the key is the row's place, so that a range or a term's list is read in one sweep. */
export const schema: SqliteSchema = {
  store: "memory",
  steps: [
    `
    CREATE TABLE memory_scopes (
      id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, memory TEXT NOT NULL,
      version INTEGER NOT NULL DEFAULT 0, UNIQUE (tenant, memory)
    ) STRICT;
    CREATE TABLE memory_entries (
      scope INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (scope, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE memory_counters (
      scope INTEGER NOT NULL, counter TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (scope, counter)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE memory_postings (
      scope INTEGER NOT NULL, term TEXT NOT NULL, document INTEGER NOT NULL,
      frequency INTEGER NOT NULL, length INTEGER NOT NULL, PRIMARY KEY (scope, term, document)
    ) STRICT, WITHOUT ROWID;
    `,
  ],
};
