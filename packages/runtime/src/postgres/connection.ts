import { createHash } from "node:crypto";
import { RuntimeError } from "../errors.ts";
import type { PostgresClient, PostgresPool, PostgresResult } from "./postgres-client.ts";
import type { PostgresSchema } from "./schema.ts";
import { checkPostgres } from "./server-check.ts";

/** Any number that no one else's advisory locks use: "ashl". */
const MIGRATION_LOCK = 0x6173_686c;

const listening = new WeakSet<PostgresPool>();

/** One store's use of a pool: its tables, made or brought up to date before the first statement, and its errors. */
export class Connection {
  readonly #pool: PostgresPool;
  readonly #what: string;
  readonly #schema: PostgresSchema;
  readonly #names = new Map<string, string>();
  #ready: Promise<void> | undefined;
  #closed = false;

  constructor(what: string, pool: PostgresPool, schema: PostgresSchema) {
    this.#pool = pool;
    this.#what = what;
    this.#schema = schema;
    if (listening.has(pool)) return;
    listening.add(pool);
    // Without a listener a server that goes away would end the process; the next statement reports it.
    pool.on("error", () => {});
  }

  /** The rows of one statement, which is its own transaction. Texts are few: values go in as parameters. */
  async rows<Row>(text: string, ...values: unknown[]): Promise<readonly Row[]> {
    const { rows } = await this.#guard(async () => {
      await this.#prepare();
      return this.#pool.query({ name: this.#name(text), text, values });
    });
    return rows as Row[];
  }

  async row<Row>(text: string, ...values: unknown[]): Promise<Row | undefined> {
    return (await this.rows<Row>(text, ...values))[0];
  }

  /** All or none. */
  transaction<T>(
    body: (query: (text: string, ...values: unknown[]) => Promise<PostgresResult>) => Promise<T>,
  ): Promise<T> {
    return this.#guard(async () => {
      await this.#prepare();
      return inTransaction(this.#pool, (client) =>
        body((text, ...values) => client.query({ name: this.#name(text), text, values })),
      );
    });
  }

  close(): void {
    this.#closed = true;
  }

  async #prepare(): Promise<void> {
    if (this.#closed) throw new RuntimeError("RUNTIME_CLOSED", `The ${this.#what} is closed: make another one.`);
    this.#ready ??= checkPostgres(this.#pool).then(() => migrate(this.#pool, this.#schema));
    try {
      await this.#ready;
    } catch (error) {
      this.#ready = undefined;
      throw error;
    }
  }

  #name(text: string): string {
    let name = this.#names.get(text);
    if (name === undefined) {
      name = createHash("sha256").update(text).digest("hex").slice(0, 24);
      this.#names.set(text, name);
    }
    return name;
  }

  async #guard<T>(body: () => Promise<T>): Promise<T> {
    try {
      return await body();
    } catch (error) {
      if (RuntimeError.is(error)) throw error;
      throw failed(this.#what, error);
    }
  }
}

async function inTransaction<T>(pool: PostgresPool, body: (client: PostgresClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken = false;
  try {
    await client.query({ text: "BEGIN" });
    const result = await body(client);
    await client.query({ text: "COMMIT" });
    return result;
  } catch (error) {
    await client.query({ text: "ROLLBACK" }).catch(() => {
      broken = true;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

/** Brings the tables to the newest schema in one transaction; refuses newer ones. Stores may share a database. */
async function migrate(pool: PostgresPool, { store, steps }: PostgresSchema): Promise<void> {
  const version = "SELECT version FROM ashlar_schema WHERE store = $1";
  const known = await pool.query({ text: "SELECT to_regclass('ashlar_schema') AS found" });
  if ((known.rows[0] as { found: unknown }).found !== null) {
    const { rows } = await pool.query({ text: version, values: [store] });
    if ((rows[0] as { version: number } | undefined)?.version === steps.length) return;
  }
  await inTransaction(pool, async (client) => {
    await client.query({ text: "SELECT pg_advisory_xact_lock($1)", values: [MIGRATION_LOCK] });
    await client.query({
      text: "CREATE TABLE IF NOT EXISTS ashlar_schema (store text PRIMARY KEY, version int NOT NULL)",
    });
    const { rows } = await client.query({ text: version, values: [store] });
    const found = (rows[0] as { version: number } | undefined)?.version ?? 0;
    if (found > steps.length) {
      throw new RuntimeError(
        "RUNTIME_INVALID",
        `The ${store} tables of this database have schema version ${found}; this release knows versions up to ${steps.length}. Upgrade the package, or use the database of the older release.`,
      );
    }
    for (const step of steps.slice(found)) await client.query({ text: step });
    await client.query({
      text: "INSERT INTO ashlar_schema VALUES ($1, $2) ON CONFLICT (store) DO UPDATE SET version = excluded.version",
      values: [store, steps.length],
    });
  });
}

/** PostgreSQL's text holds no NUL. */
const UNSTORABLE: ReadonlySet<unknown> = new Set(["22021", "22P05"]);

function failed(what: string, error: unknown): RuntimeError {
  const { code } = error as { readonly code?: unknown };
  if (UNSTORABLE.has(code)) {
    return new RuntimeError("RUNTIME_INVALID", `PostgreSQL keeps no NUL character in names, keys and metadata.`);
  }
  const full = code === "53100" ? " The disk is full: make room and the session goes on by itself." : "";
  return new RuntimeError(
    "RUNTIME_BACKEND_FAILED",
    `PostgreSQL did not confirm to the ${what}${typeof code === "string" ? ` (${code})` : ""}.${full} Repeat the call; one that carries an idempotency key is not applied twice.`,
    { cause: withoutValues(error) },
  );
}

/** pg hangs the values that did not fit on its error: those hold what users said. */
const withoutValues = (error: unknown): unknown =>
  error instanceof Error ? Object.assign(new Error(error.message.split("\n")[0]), codeOf(error)) : undefined;

const codeOf = (error: Error): object => ("code" in error ? { code: error.code } : {});
