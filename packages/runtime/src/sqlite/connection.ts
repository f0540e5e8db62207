import { RuntimeError } from "../errors.ts";
import { backend } from "../internal/driver-errors.ts";
import {
  migrate,
  NewerSchemaError,
  type SqliteDatabase,
  type SqliteSchema,
  type SqliteStatement,
  type SqliteTransaction,
} from "../internal/sqlite.ts";

/**
 * What a resolved write survives. `normal`: a crash of the process, while a loss of power may take the last commits
 * (WAL with `synchronous = NORMAL`). `full`: both, at the price of a sync to disk for each commit.
 */
export type Durability = "normal" | "full";

const BUSY_TIMEOUT_MS = 5_000;

/** One store's use of a database: its tables, its prepared statements, its transactions. */
export class Connection {
  readonly #database: SqliteDatabase;
  readonly #what: string;
  readonly #statements = new Map<string, SqliteStatement>();
  readonly #transaction: SqliteTransaction<[() => unknown], unknown>;

  constructor(what: string, database: SqliteDatabase, schema: SqliteSchema, durability: Durability = "normal") {
    this.#database = database;
    this.#what = what;
    this.#transaction = database.transaction((body: () => unknown) => body());
    this.run(() => {
      if (database.pragma("busy_timeout", { simple: true }) === 0) database.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
      if (database.pragma("journal_mode", { simple: true }) !== "wal") database.pragma("journal_mode = WAL");
      if (durability === "full") database.pragma("synchronous = FULL");
      try {
        migrate(database, schema);
      } catch (error) {
        if (!(error instanceof NewerSchemaError)) throw error;
        throw new RuntimeError("RUNTIME_INVALID", error.message, { cause: error });
      }
    });
  }

  /** Changes when another connection has committed. */
  get version(): unknown {
    return this.run(() => this.#database.pragma("data_version", { simple: true }));
  }

  /** The statement of a source text, prepared once. Texts are few: values go in as parameters. */
  sql(source: string): SqliteStatement {
    let statement = this.#statements.get(source);
    if (statement === undefined) {
      statement = this.#database.prepare(source);
      this.#statements.set(source, statement);
    }
    return statement;
  }

  /** For reads, and for one statement that is its own transaction. */
  run<T>(body: () => T): T {
    return backend(this.#what, body);
  }

  /** All or none, and alone: the lock is taken at the start, so that what was read still holds at the commit. */
  write<T>(body: () => T): T {
    return backend(this.#what, () => this.#transaction.immediate(body) as T);
  }

  close(): void {
    this.#statements.clear();
  }
}
