import type { SqliteDatabase, SqliteStatement } from "../internal/sqlite.ts";

/** A statement whose rows are the value of their first column. */
export const plucked = (database: SqliteDatabase, source: string): SqliteStatement =>
  (database.prepare(source) as SqliteStatement & { pluck(): SqliteStatement }).pluck();
