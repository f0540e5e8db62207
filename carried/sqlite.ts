/** What Ashlar uses of a SQLite driver; a better-sqlite3 `Database` has it. */
export interface SqliteDatabase {
  prepare(source: string): SqliteStatement;
  exec(source: string): unknown;
  pragma(source: string, options?: { simple?: boolean }): unknown;
  transaction<A extends unknown[], R>(body: (...args: A) => R): SqliteTransaction<A, R>;
  readonly open: boolean;
  readonly inTransaction: boolean;
}

export interface SqliteStatement {
  run(...parameters: unknown[]): { changes: number; lastInsertRowid: number | bigint };
  get(...parameters: unknown[]): unknown;
  all(...parameters: unknown[]): unknown[];
  iterate(...parameters: unknown[]): IterableIterator<unknown>;
}

export interface SqliteTransaction<A extends unknown[], R> {
  (...args: A): R;
  immediate(...args: A): R;
}

/** One step per schema version: `steps[0]` makes version 1 of an empty file. Steps are only ever appended. */
export interface SqliteSchema {
  readonly store: string;
  readonly steps: readonly string[];
}

/** The file was written by a later Ashlar; `found` and `known` are schema versions. */
export class NewerSchemaError extends Error {
  override readonly name = "NewerSchemaError";
  readonly found: number;
  readonly known: number;

  constructor(store: string, found: number, known: number) {
    super(
      `The ${store} tables in this file have schema version ${found}; this release knows versions up to ${known}. ` +
        "Upgrade the package, or open a copy made by the older release.",
    );
    this.found = found;
    this.known = known;
  }
}

/** Brings a file to the newest schema in one transaction; refuses one that is newer. Several stores may share a file. */
export function migrate(database: SqliteDatabase, { store, steps }: SqliteSchema): void {
  database
    .transaction(() => {
      database.exec(
        "CREATE TABLE IF NOT EXISTS ashlar_schema (store TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT",
      );
      const row = database.prepare("SELECT version FROM ashlar_schema WHERE store = ?").get(store);
      const found = (row as { version: number } | undefined)?.version ?? 0;
      if (found > steps.length) throw new NewerSchemaError(store, found, steps.length);
      for (const step of steps.slice(found)) database.exec(step);
      database
        .prepare("INSERT INTO ashlar_schema VALUES (?, ?) ON CONFLICT (store) DO UPDATE SET version = excluded.version")
        .run(store, steps.length);
    })
    .immediate();
}
