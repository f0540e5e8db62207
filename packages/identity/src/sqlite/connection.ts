import { IdentityError } from "../errors.ts";
import { failed } from "../internal/backend.ts";
import { migrate, NewerSchemaError, type SqliteDatabase, type SqliteSchema } from "../internal/sqlite.ts";

/**
 * What a resolved write survives. `normal`: a crash of the process, while a loss of power may take the last commits
 * (WAL with `synchronous = NORMAL`). `full`: both, at the price of a sync to disk for each commit.
 */
export type Durability = "normal" | "full";

const BUSY_TIMEOUT_MS = 5_000;

/** One store's use of a database that others may use too. */
export class Connection {
  readonly #what: string;
  #closed = false;

  constructor(what: string, database: SqliteDatabase, schema: SqliteSchema, durability: Durability = "normal") {
    this.#what = what;
    this.run(() => {
      if (database.pragma("busy_timeout", { simple: true }) === 0) database.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
      if (database.pragma("journal_mode", { simple: true }) !== "wal") database.pragma("journal_mode = WAL");
      if (durability === "full") database.pragma("synchronous = FULL");
      try {
        migrate(database, schema);
      } catch (error) {
        if (!(error instanceof NewerSchemaError)) throw error;
        throw new IdentityError("IDENTITY_INVALID", error.message, { cause: error });
      }
    });
  }

  run<T>(body: () => T): T {
    if (this.#closed) throw new IdentityError("IDENTITY_CLOSED", `This ${this.#what} is closed.`);
    try {
      return body();
    } catch (error) {
      throw failed("SQLite", error);
    }
  }

  close(): void {
    this.#closed = true;
  }
}
