import { MemoryError } from "../errors.ts";
import type { Batch, Entry, Found, Lookup, MemoryStore, PostingList, Range, Scope } from "../memory-store.ts";

interface Shelf {
  readonly scope: Scope;
  readonly values: Map<string, string>;
  /** The keys of `values` in order, but for those in `changed`, which the next scan puts in or takes out. */
  sorted: string[];
  changed: string[];
  readonly counters: Map<string, number>;
  readonly postings: Map<string, Map<number, readonly [frequency: number, length: number]>>;
  version: number;
}

/** Keeps everything in this process: for tests, for trials, and as the specification that other stores follow. */
export class InMemoryMemoryStore implements MemoryStore {
  readonly #shelves = new Map<string, Shelf>();
  #closed = false;

  async read(scope: Scope, { keys = [], counters = [], terms = [] }: Lookup): Promise<Found> {
    const shelf = this.#open(scope);
    return {
      values: keys.map((key) => shelf.values.get(key)),
      counters: counters.map((counter) => shelf.counters.get(counter) ?? 0),
      postings: terms.map((term) => postingList(shelf.postings.get(term))),
    };
  }

  async scan(scope: Scope, { from, to, limit, reverse = false }: Range): Promise<readonly Entry[]> {
    const { values, sorted } = inOrder(this.#open(scope));
    const [start, end] = [firstAtLeast(sorted, from), firstAtLeast(sorted, to)];
    const keys = reverse
      ? sorted.slice(Math.max(start, end - limit), Math.max(start, end)).reverse()
      : sorted.slice(start, Math.max(start, Math.min(end, start + limit)));
    return keys.map((key) => ({ key, value: values.get(key) as string }));
  }

  async commit(scope: Scope, batch: Batch): Promise<boolean> {
    const shelf = this.#open(scope);
    if (batch.expect?.some(({ key, value }) => shelf.values.get(key) !== value)) return false;
    for (const key of batch.delete ?? []) {
      if (shelf.values.delete(key)) shelf.changed.push(key);
    }
    for (const { key, value } of batch.put ?? []) {
      if (!shelf.values.has(key)) shelf.changed.push(key);
      shelf.values.set(key, value);
    }
    for (const { counter, by } of batch.add ?? []) shelf.counters.set(counter, (shelf.counters.get(counter) ?? 0) + by);
    for (const { term, document } of batch.unpost ?? []) {
      const documents = shelf.postings.get(term);
      documents?.delete(document);
      if (documents?.size === 0) shelf.postings.delete(term);
    }
    for (const { term, document, frequency, length } of batch.post ?? []) {
      const documents = shelf.postings.get(term);
      if (documents === undefined) shelf.postings.set(term, new Map([[document, [frequency, length]]]));
      else documents.set(document, [frequency, length]);
    }
    shelf.version += 1;
    this.#shelves.set(nameOf(scope), shelf);
    return true;
  }

  async version(scope: Scope): Promise<number> {
    return this.#open(scope).version;
  }

  async scopes({ after, limit }: { readonly after?: Scope; readonly limit: number }): Promise<readonly Scope[]> {
    this.#refuseClosed();
    return [...this.#shelves.values()]
      .filter(({ scope, values }) => values.size > 0 && (after === undefined || compare(scope, after) > 0))
      .map(({ scope }) => scope)
      .sort(compare)
      .slice(0, limit);
  }

  async drop(scope: Scope): Promise<void> {
    const { version } = this.#open(scope);
    if (version > 0) this.#shelves.set(nameOf(scope), { ...empty(scope), version: version + 1 });
  }

  async compact(): Promise<void> {
    this.#refuseClosed();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#shelves.clear();
  }

  #open(scope: Scope): Shelf {
    this.#refuseClosed();
    return this.#shelves.get(nameOf(scope)) ?? empty(scope);
  }

  #refuseClosed(): void {
    if (this.#closed) throw new MemoryError("MEMORY_STORE_CLOSED", "This store is closed: make another one.");
  }
}

const nameOf = ({ tenant, memory }: Scope): string => JSON.stringify([tenant, memory]);

const empty = ({ tenant, memory }: Scope): Shelf => ({
  scope: { tenant, memory },
  values: new Map(),
  sorted: [],
  changed: [],
  counters: new Map(),
  postings: new Map(),
  version: 0,
});

/** More changes than this are sorted in anew. */
const FEW = 64;

function inOrder(shelf: Shelf): { readonly values: Map<string, string>; readonly sorted: readonly string[] } {
  const { values, sorted, changed } = shelf;
  if (changed.length > FEW) shelf.sorted = [...values.keys()].sort();
  else {
    for (const key of changed) {
      const at = firstAtLeast(sorted, key);
      if (sorted[at] === key) sorted.splice(at, 1);
      if (values.has(key)) sorted.splice(at, 0, key);
    }
  }
  shelf.changed = [];
  return { values, sorted: shelf.sorted };
}

function firstAtLeast(sorted: readonly string[], key: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function postingList(documents: ReadonlyMap<number, readonly [number, number]> | undefined): PostingList {
  if (documents === undefined) return [];
  const entries = [...documents].sort(([a], [b]) => a - b);
  return entries.flatMap(([document, [frequency, length]]) => [document, frequency, length]);
}

const bytes = (text: string): Buffer => Buffer.from(text, "utf8");

/** By the bytes of UTF-8, as the other stores order them. */
const compare = (a: Scope, b: Scope): number =>
  bytes(a.tenant).compare(bytes(b.tenant)) || bytes(a.memory).compare(bytes(b.memory));
