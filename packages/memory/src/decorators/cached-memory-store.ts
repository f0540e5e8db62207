import type { Batch, Entry, Found, Lookup, MemoryStore, Range, Scope } from "../memory-store.ts";

interface Cache {
  readonly version: number;
  readonly answers: Map<string, unknown>;
}

/**
 * Keeps answers for as long as a scope's version stands still. Each call asks for the version first, so that what
 * another process wrote is seen at once; worth it where an answer costs much more than a number.
 */
export class CachedMemoryStore implements MemoryStore {
  readonly #store: MemoryStore;
  readonly #scopes: number;
  readonly #answers: number;
  readonly #caches = new Map<string, Cache>();

  constructor({
    store,
    scopes = 100,
    answers = 1_000,
  }: {
    readonly store: MemoryStore;
    /** Most scopes that are kept. */
    readonly scopes?: number;
    /** Most answers of a scope that are kept. */
    readonly answers?: number;
  }) {
    this.#store = store;
    this.#scopes = scopes;
    this.#answers = answers;
  }

  read(scope: Scope, lookup: Lookup): Promise<Found> {
    return this.#cached(scope, ["read", lookup], () => this.#store.read(scope, lookup));
  }

  scan(scope: Scope, range: Range): Promise<readonly Entry[]> {
    return this.#cached(scope, ["scan", range], () => this.#store.scan(scope, range));
  }

  commit(scope: Scope, batch: Batch): Promise<boolean> {
    return this.#store.commit(scope, batch);
  }

  version(scope: Scope): Promise<number> {
    return this.#store.version(scope);
  }

  scopes(page: { readonly after?: Scope; readonly limit: number }): Promise<readonly Scope[]> {
    return this.#store.scopes(page);
  }

  async drop(scope: Scope): Promise<void> {
    await this.#store.drop(scope);
    this.#caches.delete(JSON.stringify([scope.tenant, scope.memory]));
  }

  /** Also forgets what is kept here. */
  compact(): Promise<void> {
    this.#caches.clear();
    return this.#store.compact();
  }

  close(): Promise<void> {
    this.#caches.clear();
    return this.#store.close();
  }

  async #cached<T>({ tenant, memory }: Scope, question: unknown, ask: () => Promise<T>): Promise<T> {
    const version = await this.#store.version({ tenant, memory });
    const name = JSON.stringify([tenant, memory]);
    let cache = this.#caches.get(name);
    if (cache?.version !== version) cache = { version, answers: new Map() };
    this.#caches.delete(name);
    this.#caches.set(name, cache);
    trim(this.#caches, this.#scopes);
    const key = JSON.stringify(question);
    if (cache.answers.has(key)) return cache.answers.get(key) as T;
    const answer = await ask();
    if ((await this.#store.version({ tenant, memory })) === version) {
      cache.answers.set(key, answer);
      trim(cache.answers, this.#answers);
    }
    return answer;
  }
}

function trim(map: Map<string, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size <= most) return;
    map.delete(key);
  }
}
