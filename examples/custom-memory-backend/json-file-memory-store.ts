import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import {
  type Batch,
  type Found,
  type Lookup,
  MemoryError,
  type MemoryStore,
  type Range,
  type Scope,
} from "@ashlar/memory";

interface Shelf {
  entries: Record<string, string>;
  counters: Record<string, number>;
  /** Term → document → frequency and length. */
  postings: Record<string, Record<string, [number, number]>>;
  version: number;
}

/** A stranger's backend: one JSON file, written whole and swapped in by a rename. Slow, small and right. */
export class JsonFileMemoryStore implements MemoryStore {
  readonly #path: string;
  #shelves: Map<string, Shelf>;
  #closed = false;

  constructor(path: string) {
    this.#path = path;
    this.#shelves = existsSync(path) ? new Map(JSON.parse(readFileSync(path, "utf8"))) : new Map();
  }

  async read(scope: Scope, { keys = [], counters = [], terms = [] }: Lookup): Promise<Found> {
    const shelf = this.#shelf(scope);
    return {
      values: keys.map((key) => shelf.entries[key]),
      counters: counters.map((counter) => shelf.counters[counter] ?? 0),
      postings: terms.map((term) =>
        Object.entries(shelf.postings[term] ?? {})
          .map(([document, pair]) => [Number(document), ...pair])
          .sort(([a = 0], [b = 0]) => a - b)
          .flat(),
      ),
    };
  }

  async scan(scope: Scope, { from, to, limit, reverse = false }: Range) {
    const { entries } = this.#shelf(scope);
    const found = Object.keys(entries)
      .filter((key) => key >= from && key < to)
      .sort();
    if (reverse) found.reverse();
    return found.slice(0, limit).map((key) => ({ key, value: entries[key] ?? "" }));
  }

  async commit(scope: Scope, batch: Batch): Promise<boolean> {
    const { entries, counters, postings, version } = structuredClone(this.#shelf(scope));
    if (batch.expect?.some(({ key, value }) => entries[key] !== value)) return false;
    for (const key of batch.delete ?? []) delete entries[key];
    for (const { key, value } of batch.put ?? []) entries[key] = value;
    for (const { counter, by } of batch.add ?? []) counters[counter] = (counters[counter] ?? 0) + by;
    for (const { term, document } of batch.unpost ?? []) delete postings[term]?.[document];
    for (const { term, document, frequency, length } of batch.post ?? []) {
      postings[term] ??= {};
      postings[term][document] = [frequency, length];
    }
    this.#save(scope, { entries, counters, postings, version: version + 1 });
    return true;
  }

  async version(scope: Scope): Promise<number> {
    return this.#shelf(scope).version;
  }

  async scopes({ after, limit }: { readonly after?: Scope; readonly limit: number }): Promise<readonly Scope[]> {
    const held = [...this.#shelves].filter(([, { entries }]) => Object.keys(entries).length > 0);
    const names = held.map(([name]) => name).sort();
    return names
      .filter((name) => after === undefined || name > nameOf(after))
      .slice(0, limit)
      .map((name) => {
        const [tenant, memory] = JSON.parse(name) as [string, string];
        return { tenant, memory };
      });
  }

  async drop(scope: Scope): Promise<void> {
    const { version } = this.#shelf(scope);
    if (version > 0) this.#save(scope, { ...empty(), version: version + 1 });
  }

  /** The file is written whole at every commit: nothing deleted is left in it. */
  async compact(): Promise<void> {}

  async close(): Promise<void> {
    this.#closed = true;
  }

  #shelf(scope: Scope): Shelf {
    if (this.#closed) throw new MemoryError("MEMORY_STORE_CLOSED", "This store is closed.");
    return this.#shelves.get(nameOf(scope)) ?? empty();
  }

  #save(scope: Scope, shelf: Shelf): void {
    const next = new Map(this.#shelves).set(nameOf(scope), shelf);
    try {
      writeFileSync(`${this.#path}.next`, JSON.stringify([...next]), { flush: true });
      renameSync(`${this.#path}.next`, this.#path);
    } catch (cause) {
      throw new MemoryError("MEMORY_BACKEND_FAILED", "The file could not be written; nothing has changed.", { cause });
    }
    this.#shelves = next;
  }
}

const nameOf = ({ tenant, memory }: Scope): string => JSON.stringify([tenant, memory]);
const empty = (): Shelf => ({
  entries: Object.create(null),
  counters: Object.create(null),
  postings: Object.create(null),
  version: 0,
});
