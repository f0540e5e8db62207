import { MemoryError } from "../errors.ts";
import type { Batch, Entry, Found, Lookup, MemoryStore, PostingList, Range, Scope } from "../memory-store.ts";
import { original, storable } from "./escaping.ts";
import { migrate } from "./migrate.ts";
import type { PostgresPool } from "./postgres-client.ts";
import { schema } from "./schema.ts";
import * as statements from "./statements.ts";

export interface PostgresMemoryStoreDeps {
  /** A `Pool` of pg. Whoever opened it closes it, after the store. */
  readonly pool: PostgresPool;
}

const listening = new WeakSet<PostgresPool>();

/**
 * PostgreSQL 14 or later, without extensions. Makes its tables in the pool's schema at the first call. How durable a
 * resolved write is, is what the server's `fsync` and `synchronous_commit` make it.
 */
export class PostgresMemoryStore implements MemoryStore {
  readonly #pool: PostgresPool;
  #ready: Promise<void> | undefined;
  #closed = false;

  constructor({ pool }: PostgresMemoryStoreDeps) {
    this.#pool = pool;
    if (listening.has(pool)) return;
    listening.add(pool);
    // Without a listener a server that goes away would end the process; the next statement reports it.
    pool.on("error", () => {});
  }

  async read(scope: Scope, { keys = [], counters = [], terms = [] }: Lookup): Promise<Found> {
    const [row] = await this.#rows<{
      entries: (string | null)[] | null;
      counters: number[] | null;
      postings: string[] | null;
    }>(statements.read, [...named(scope), keys, counters, terms.map(storable)]);
    return {
      values: (row?.entries ?? []).map((value) => (value === null ? undefined : original(value))),
      counters: row?.counters ?? [],
      postings: (row?.postings ?? []).map((list) => JSON.parse(`[${list}]`) as PostingList),
    };
  }

  async scan(scope: Scope, { from, to, limit, reverse = false }: Range): Promise<readonly Entry[]> {
    const rows = await this.#rows<Entry>(reverse ? statements.scanBack : statements.scan, [
      ...named(scope),
      from,
      to,
      limit,
    ]);
    return rows.map(({ key, value }) => ({ key, value: original(value) }));
  }

  async commit(scope: Scope, batch: Batch): Promise<boolean> {
    const { expect = [], delete: deleted = [], unpost = [] } = batch;
    const put = new Map(batch.put?.map(({ key, value }) => [key, value]));
    const added = new Map<string, number>();
    for (const { counter, by } of batch.add ?? []) added.set(counter, (added.get(counter) ?? 0) + by);
    const post = [...new Map(batch.post?.map((each) => [`${each.document} ${each.term}`, each])).values()];
    const [row] = await this.#rows<{ written: boolean }>(statements.commit, [
      ...named(scope),
      expect.map(({ key }) => key),
      expect.map(({ value }) => (value === undefined ? null : storable(value))),
      deleted,
      [...put.keys()],
      [...put.values()].map(storable),
      [...added.keys()],
      [...added.values()],
      unpost.map(({ term }) => storable(term)),
      unpost.map(({ document }) => document),
      post.map(({ term }) => storable(term)),
      post.map(({ document }) => document),
      post.map(({ frequency }) => frequency),
      post.map(({ length }) => length),
    ]);
    return row?.written === true;
  }

  async version(scope: Scope): Promise<number> {
    const [row] = await this.#rows<{ version: string }>(statements.version, named(scope));
    return Number(row?.version ?? 0);
  }

  async scopes({ after, limit }: { readonly after?: Scope; readonly limit: number }): Promise<readonly Scope[]> {
    const from = after === undefined ? ["", ""] : named(after);
    const rows = await this.#rows<Scope>(statements.scopes, [...from, limit]);
    return rows.map(({ tenant, memory }) => ({ tenant: original(tenant), memory: original(memory) }));
  }

  async drop(scope: Scope): Promise<void> {
    await this.#rows(statements.drop, named(scope));
  }

  /** What the server's write-ahead log and its backups still hold is its operator's. */
  async compact(): Promise<void> {
    await this.#guard(async () => {
      for (const text of statements.compact) await this.#pool.query({ text });
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  async #rows<Row>(statement: statements.Statement, values: unknown[]): Promise<readonly Row[]> {
    const { rows } = await this.#guard(() => this.#pool.query({ ...statement, values }));
    return rows as Row[];
  }

  async #guard<T>(body: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new MemoryError("MEMORY_STORE_CLOSED", "This store is closed: make another one.");
    try {
      this.#ready ??= migrate(this.#pool, schema);
      await this.#ready.catch((error: unknown) => {
        this.#ready = undefined;
        throw error;
      });
      return await body();
    } catch (error) {
      if (MemoryError.is(error)) throw error;
      throw failed(error);
    }
  }
}

const named = ({ tenant, memory }: Scope): string[] => [storable(tenant), storable(memory)];

const advice: Readonly<Record<string, string>> = {
  "53100": "The disk is full: make room and repeat the call; nothing was written.",
  "25006": "The server takes no writes: connect to the primary.",
  "42501": "The user may not: grant it the pool's schema and its tables.",
};

function failed(error: unknown): MemoryError {
  const code = String((error as { readonly code?: unknown }).code ?? "no code");
  return new MemoryError(
    "MEMORY_BACKEND_FAILED",
    advice[code] ??
      `PostgreSQL did not answer (${code}). Repeat the call; one that carries an idempotency key is not applied twice.`,
    { cause: error instanceof Error ? new Error(error.message.split("\n")[0]) : undefined },
  );
}
