import { MemoryError } from "../errors.ts";
import type { Batch, Entry, Found, Lookup, MemoryStore, PostingList, Range, Scope } from "../memory-store.ts";
import type { RedisClient } from "./redis-client.ts";
import * as scripts from "./scripts.ts";

export interface RedisMemoryStoreDeps {
  /** An ioredis `Redis` or `Cluster`. Whoever opened it closes it, after the store. */
  readonly client: RedisClient;
  /** Before every key; change it to let two deployments share a server. Default `ashlar:memory:`. */
  readonly prefix?: string;
}

/**
 * Plain Redis 6.2 or later, or Valkey; no modules. All keys of a scope share a hash tag, so that a Cluster keeps them
 * in one slot. How durable a resolved write is, is what the server's `appendfsync` and replication make it.
 */
export class RedisMemoryStore implements MemoryStore {
  readonly #client: RedisClient;
  readonly #prefix: string;
  readonly #registered = new Set<string>();
  #ready: Promise<void> | undefined;
  #closed = false;

  constructor({ client, prefix = "ashlar:memory:" }: RedisMemoryStoreDeps) {
    this.#client = client;
    this.#prefix = prefix;
  }

  async read(scope: Scope, { keys = [], counters = [], terms = [] }: Lookup): Promise<Found> {
    const at = this.#keys(scope);
    const [values, counts, postings] = (await this.#run(
      scripts.read,
      [at("values"), at("counters"), ...terms.map((term) => at("postings", term))],
      [keys.length, ...keys, ...counters],
    )) as [(string | null)[], (string | null)[], string[][]];
    return {
      values: keys.map((_, index) => values[index] ?? undefined),
      counters: counters.map((_, index) => Number(counts[index] ?? 0)),
      postings: postings.map(postingList),
    };
  }

  async scan(scope: Scope, { from, to, limit, reverse = false }: Range): Promise<readonly Entry[]> {
    const at = this.#keys(scope);
    const flat = (await this.#run(
      scripts.scan,
      [at("values"), at("keys")],
      [from, to, limit, reverse ? "1" : "0"],
    )) as string[];
    return Array.from({ length: flat.length / 2 }, (_, index) => ({
      key: flat[2 * index] as string,
      value: flat[2 * index + 1] as string,
    }));
  }

  async commit(scope: Scope, batch: Batch): Promise<boolean> {
    const { expect = [], delete: deleted = [], put = [], add = [], unpost = [], post = [] } = batch;
    const at = this.#keys(scope);
    await this.#register(scope);
    const written = await this.#run(
      scripts.commit,
      [
        ...[at("values"), at("keys"), at("counters"), at("version"), at("terms")],
        ...[...unpost, ...post].map(({ term }) => at("postings", term)),
      ],
      [
        ...[expect, deleted, put, add, unpost, post].map(({ length }) => length),
        ...expect.flatMap(({ key, value }) => [key, value === undefined ? "" : `=${value}`]),
        ...deleted,
        ...put.flatMap(({ key, value }) => [key, value]),
        ...add.flatMap(({ counter, by }) => [counter, by]),
        ...unpost.flatMap(({ term, document }) => [term, document]),
        ...post.flatMap(({ term, document, frequency, length }) => [term, document, `${frequency},${length}`]),
      ],
    );
    return written === 1;
  }

  async version(scope: Scope): Promise<number> {
    return Number((await this.#guard(() => this.#client.get(this.#keys(scope)("version")))) ?? 0);
  }

  async scopes({ after, limit }: { readonly after?: Scope; readonly limit: number }): Promise<readonly Scope[]> {
    const found: Scope[] = [];
    let from = after === undefined ? "-" : `(${tagOf(after)}`;
    while (found.length < limit) {
      const tags = await this.#guard(() =>
        this.#client.zrangebylex(this.#scopesKey, from, "+", "LIMIT", 0, limit - found.length),
      );
      for (const tag of tags) {
        const scope = scopeOf(tag);
        if ((await this.#guard(() => this.#client.hlen(this.#keys(scope)("values")))) > 0) found.push(scope);
        from = `(${tag}`;
      }
      if (tags.length === 0) break;
    }
    return found;
  }

  async drop(scope: Scope): Promise<void> {
    const at = this.#keys(scope);
    const terms = await this.#guard(() => this.#client.smembers(at("terms")));
    const own = (["values", "keys", "counters", "version", "terms"] as const).map((part) => at(part));
    await this.#run(scripts.drop, [...own, ...terms.map((term) => at("postings", term))], []);
  }

  async compact(): Promise<void> {
    this.#refuseClosed();
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  get #scopesKey(): string {
    return `${this.#prefix}scopes`;
  }

  #keys(scope: Scope): (part: string, term?: string) => string {
    const tag = `${this.#prefix}{${tagOf(scope)}}:`;
    return (part, term) => (term === undefined ? tag + part : `${tag}${part}:${term}`);
  }

  /** The list of scopes lies in another slot than a scope: it is written first, and an empty scope is not listed. */
  async #register(scope: Scope): Promise<void> {
    const tag = tagOf(scope);
    if (this.#registered.has(tag)) return;
    await this.#guard(() => this.#client.zadd(this.#scopesKey, 0, tag));
    this.#registered.add(tag);
  }

  #run(script: scripts.Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    return this.#guard(async () => {
      const all = [...keys, ...args.map(String)];
      try {
        return await this.#client.evalsha(script.sha1, keys.length, all);
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
        return await this.#client.eval(script.source, keys.length, all);
      }
    });
  }

  async #guard<T>(body: () => Promise<T>): Promise<T> {
    this.#refuseClosed();
    try {
      this.#ready ??= this.#check();
      await this.#ready.catch((error: unknown) => {
        this.#ready = undefined;
        throw error;
      });
      return await body();
    } catch (cause) {
      if (MemoryError.is(cause)) throw cause;
      const reply = cause instanceof Error ? (cause.message.split(" ")[0] ?? "") : "";
      throw new MemoryError("MEMORY_BACKEND_FAILED", advice[reply] ?? unanswered, { cause: withoutCommand(cause) });
    }
  }

  /** Keys of a later layout are left alone. */
  async #check(): Promise<void> {
    const key = `${this.#prefix}schema`;
    const found = await this.#client.get(key);
    if (found === null) await this.#client.set(key, String(LAYOUT), "NX");
    else if (Number(found) > LAYOUT) {
      throw new MemoryError(
        "MEMORY_SCHEMA_NEWER",
        `The keys under ${this.#prefix} have layout ${found}; this release knows layouts up to ${LAYOUT}. Upgrade the package, or use another prefix.`,
      );
    }
  }

  #refuseClosed(): void {
    if (this.#closed) throw new MemoryError("MEMORY_STORE_CLOSED", "This store is closed: make another one.");
  }
}

/** Of the keys; rises when a release lays them out anew. */
const LAYOUT = 1;

const unanswered = "Redis did not answer. Repeat the call; one that carries an idempotency key is not applied twice.";
/** By the first word of the server's reply. Each of them was said before anything was written. */
const advice: Readonly<Record<string, string>> = {
  OOM: "Redis is at its memory limit: make room or raise maxmemory, then repeat the call; nothing was written.",
  MISCONF: "Redis cannot write to its disk: make room there, then repeat the call; nothing was written.",
  READONLY: "This Redis is a replica: connect to the primary.",
  LOADING: "Redis is still loading its data: repeat the call in a moment.",
  NOREPLICAS: "Redis has too few replicas for the writes that it was told to keep safe: bring them back.",
};

/** Percent-encoding leaves neither braces nor slashes, so that no tenant can spell another's tag. */
const tagOf = ({ tenant, memory }: Scope): string => `${encodeURIComponent(tenant)}/${encodeURIComponent(memory)}`;

function scopeOf(tag: string): Scope {
  const [tenant = "", memory = ""] = tag.split("/").map(decodeURIComponent);
  return { tenant, memory };
}

function postingList(flat: readonly string[]): PostingList {
  const postings: [number, string][] = [];
  for (let at = 0; at < flat.length; at += 2) postings.push([Number(flat[at]), flat[at + 1] as string]);
  postings.sort(([a], [b]) => a - b);
  return postings.flatMap(([document, value]) => {
    const comma = value.indexOf(",");
    return [document, Number(value.slice(0, comma)), Number(value.slice(comma + 1))];
  });
}

/** ioredis hangs the command with its arguments on the error: those hold what users said. */
const withoutCommand = (cause: unknown): unknown =>
  cause instanceof Error ? new Error(cause.message.split("\n")[0]) : undefined;
