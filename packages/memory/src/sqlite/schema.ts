import type { SqliteSchema } from "../internal/sqlite.ts";

/**
 * Tables without rowid: the key is the row's place, so that a range or a term's list is read in one sweep.
 *
 * A term's list stands in pieces, of which the later counts where two name a document. What small commits post waits, a
 * row for each, until there is enough of it to become pieces at once: a commit that touched the lists of all its terms
 * would write a page for each of them. `sorted` counts how often lists changed, and numbers their pieces.
 */
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
    `
    CREATE TABLE memory_lists (
      scope INTEGER NOT NULL, term TEXT NOT NULL, number INTEGER NOT NULL, list TEXT NOT NULL,
      PRIMARY KEY (scope, term, number)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE memory_waiting (
      scope INTEGER NOT NULL, number INTEGER NOT NULL, postings TEXT NOT NULL, PRIMARY KEY (scope, number)
    ) STRICT, WITHOUT ROWID;
    ALTER TABLE memory_scopes ADD COLUMN waiting INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE memory_scopes ADD COLUMN sorted INTEGER NOT NULL DEFAULT 0;
    INSERT INTO memory_lists
      SELECT scope, term, piece, group_concat(document || ',' || frequency || ',' || length, ',' ORDER BY document)
      FROM (
        SELECT *, (row_number() OVER (PARTITION BY scope, term ORDER BY document) - 1) / 500 AS piece FROM memory_postings
      ) GROUP BY scope, term, piece;
    UPDATE memory_scopes SET sorted = coalesce((SELECT max(number) FROM memory_lists WHERE scope = id), 0);
    DROP TABLE memory_postings;
    `,
  ],
};
