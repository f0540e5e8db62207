import { MemoryError } from "../errors.ts";
import { migrate, NewerSchemaError, type SqliteDatabase } from "../internal/sqlite.ts";
import type { Batch, Entry, Found, Lookup, MemoryStore, Range, Scope } from "../memory-store.ts";
import { plucked } from "./plucked.ts";
import { PostingLists } from "./posting-lists.ts";
import { schema } from "./schema.ts";

export interface SqliteMemoryStoreDeps {
  /** A better-sqlite3 `Database`. Whoever opened it closes it, after the store. */
  readonly database: SqliteDatabase;
  /**
   * `normal`: a commit outlives this process, and a power cut may undo the last ones, whole; `full`: it outlives that
   * too, for a wait on the disk each time. Default: as the connection is set, which better-sqlite3 opens as `normal`.
   */
  readonly durability?: "normal" | "full";
}

/** Pages of the log after which they are moved to the file: what SQLite sets, and what is set instead of that. */
const SQLITE_PAGES = 1_000;
const PAGES = 4_000;

/** Sets WAL and `secure_delete` on the database that it is given, and brings its tables to the newest schema. */
export class SqliteMemoryStore implements MemoryStore {
  readonly #database: SqliteDatabase;
  readonly #statements: Statements;
  readonly #commit: (scope: Scope, batch: Batch) => boolean;
  readonly #read: (scope: Scope, lookup: Lookup) => Found;
  readonly #ids = new Map<string, number>();
  readonly #postings: PostingLists;
  #closed = false;

  constructor({ database, durability }: SqliteMemoryStoreDeps) {
    this.#database = database;
    const { statements, postings } = guard(() => {
      database.pragma("journal_mode = WAL");
      database.pragma("secure_delete = ON");
      if (durability !== undefined) database.pragma(`synchronous = ${durability}`);
      if (database.pragma("wal_autocheckpoint", { simple: true }) === SQLITE_PAGES) {
        database.pragma(`wal_autocheckpoint = ${PAGES}`);
      }
      migrate(database, schema);
      return { statements: prepare(database), postings: new PostingLists(database) };
    });
    this.#statements = statements;
    this.#postings = postings;
    const commit = database.transaction((scope: Scope, batch: Batch) => this.#apply(scope, batch));
    this.#commit = commit.immediate;
    this.#read = database.transaction((scope: Scope, lookup: Lookup) => this.#look(scope, lookup));
  }

  async read(scope: Scope, lookup: Lookup): Promise<Found> {
    const alone = (lookup.keys?.length ?? 0) + (lookup.counters?.length ?? 0) === 1 && lookup.terms === undefined;
    return this.#guard(() => (alone ? this.#look(scope, lookup) : this.#read(scope, lookup)));
  }

  async scan(scope: Scope, { from, to, limit, reverse = false }: Range): Promise<readonly Entry[]> {
    const statement = reverse ? this.#statements.scanBack : this.#statements.scan;
    return this.#guard(() => statement.all(this.#id(scope), from, to, limit) as Entry[]);
  }

  async commit(scope: Scope, batch: Batch): Promise<boolean> {
    return this.#guard(() => {
      const written = this.#commit(scope, batch);
      if (written) this.#id(scope);
      return written;
    });
  }

  async version({ tenant, memory }: Scope): Promise<number> {
    const row = this.#guard(() => this.#statements.scope.get(tenant, memory));
    return (row as { version: number } | undefined)?.version ?? 0;
  }

  async scopes({ after, limit }: { readonly after?: Scope; readonly limit: number }): Promise<readonly Scope[]> {
    return this.#guard(
      () => this.#statements.scopes.all(after?.tenant ?? "", after?.memory ?? "", limit) as readonly Scope[],
    );
  }

  async drop(scope: Scope): Promise<void> {
    this.#guard(() => {
      const id = this.#id(scope);
      if (id === undefined) return;
      this.#database.transaction(() => {
        for (const statement of this.#statements.drop) statement.run(id);
      })();
    });
  }

  async compact(): Promise<void> {
    this.#guard(() => {
      this.#database.pragma("wal_checkpoint(TRUNCATE)");
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #apply(scope: Scope, batch: Batch): boolean {
    const statements = this.#statements;
    const known = this.#id(scope);
    for (const { key, value } of batch.expect ?? []) {
      if (statements.value.get(known, key) !== value) return false;
    }
    const id = known ?? this.#register(scope);
    for (const key of batch.delete ?? []) statements.delete.run(id, key);
    for (const { key, value } of batch.put ?? []) statements.put.run(id, key, value);
    for (const { counter, by } of batch.add ?? []) statements.add.run(id, counter, by);
    this.#postings.write(id, batch);
    statements.touch.run(id);
    return true;
  }

  #look(scope: Scope, { keys = [], counters = [], terms = [] }: Lookup): Found {
    const { value, counter } = this.#statements;
    const id = this.#id(scope);
    return {
      values: keys.map((key) => value.get(id, key) as string | undefined),
      counters: counters.map((name) => (counter.get(id, name) as number | undefined) ?? 0),
      postings: id === undefined || terms.length === 0 ? terms.map(() => []) : this.#postings.read(id, terms),
    };
  }

  /** A scope's row is never deleted, so that its id may be kept. */
  #id(scope: Scope): number | undefined {
    const name = JSON.stringify([scope.tenant, scope.memory]);
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const row = this.#statements.scope.get(scope.tenant, scope.memory) as { id: number } | undefined;
    if (row !== undefined && !this.#database.inTransaction) this.#ids.set(name, row.id);
    return row?.id;
  }

  #register({ tenant, memory }: Scope): number {
    return Number(this.#statements.register.run(tenant, memory).lastInsertRowid);
  }

  #guard<T>(body: () => T): T {
    if (this.#closed) throw new MemoryError("MEMORY_STORE_CLOSED", "This store is closed: make another one.");
    return guard(body);
  }
}

type Statements = ReturnType<typeof prepare>;

function prepare(database: SqliteDatabase) {
  const pluck = (source: string) => plucked(database, source);
  const range = "SELECT key, value FROM memory_entries WHERE scope = ? AND key >= ? AND key < ? ORDER BY key";
  return {
    scope: database.prepare("SELECT id, version FROM memory_scopes WHERE tenant = ? AND memory = ?"),
    scopes: database.prepare(
      `SELECT tenant, memory FROM memory_scopes WHERE (tenant, memory) > (?, ?)
       AND EXISTS (SELECT 1 FROM memory_entries WHERE scope = id) ORDER BY tenant, memory LIMIT ?`,
    ),
    register: database.prepare("INSERT INTO memory_scopes (tenant, memory) VALUES (?, ?)"),
    touch: database.prepare("UPDATE memory_scopes SET version = version + 1 WHERE id = ?"),
    value: pluck("SELECT value FROM memory_entries WHERE scope = ? AND key = ?"),
    counter: pluck("SELECT value FROM memory_counters WHERE scope = ? AND counter = ?"),
    scan: database.prepare(`${range} LIMIT ?`),
    scanBack: database.prepare(`${range} DESC LIMIT ?`),
    delete: database.prepare("DELETE FROM memory_entries WHERE scope = ? AND key = ?"),
    put: database.prepare(
      "INSERT INTO memory_entries VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
    ),
    add: database.prepare(
      "INSERT INTO memory_counters VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
    ),
    drop: [
      "DELETE FROM memory_entries WHERE scope = ?",
      "DELETE FROM memory_counters WHERE scope = ?",
      "DELETE FROM memory_lists WHERE scope = ?",
      "DELETE FROM memory_waiting WHERE scope = ?",
      "UPDATE memory_scopes SET version = version + 1, waiting = 0, sorted = sorted + 1 WHERE id = ?",
    ].map((source) => database.prepare(source)),
  };
}

const advice: Readonly<Record<string, string>> = {
  SQLITE_FULL: "The disk is full: make room and repeat the call; nothing was written.",
  SQLITE_BUSY: "Another process holds the file locked: repeat the call, or set a busy timeout on the database.",
  SQLITE_READONLY: "The file cannot be written: check its permissions.",
};

function guard<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (error instanceof NewerSchemaError) {
      throw new MemoryError("MEMORY_SCHEMA_NEWER", error.message, { cause: error });
    }
    const code = String((error as { code?: unknown }).code ?? "");
    if (code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_NOTADB") {
      throw new MemoryError("MEMORY_CORRUPT", "The SQLite file is damaged: restore it, or import an export.", {
        cause: error,
      });
    }
    const known = Object.keys(advice).find((name) => code.startsWith(name));
    throw new MemoryError("MEMORY_BACKEND_FAILED", advice[known ?? ""] ?? `SQLite failed (${code || "no code"}).`, {
      cause: error,
    });
  }
}
