import type { IdSource } from "../dialect.ts";
import type { Embedder } from "../embedder.ts";
import { MemoryError } from "../errors.ts";
import type { Batch, Entry, MemoryStore, Scope } from "../memory-store.ts";
import { BestFirst } from "./best-first.ts";
import { textNumber } from "./document-number.ts";
import { type EventRow, textOfEvent } from "./event-row.ts";
import { type Source, vectorChanges } from "./indexing.ts";
import { keys, under } from "./keys.ts";
import { VectorTable } from "./nearest.ts";
import type { RecordRow } from "./record-row.ts";

const PAGE = 500;
/** Most scopes whose vectors are kept in memory; the one filled longest ago goes first. */
const MATRICES = 32;
const ENDS = 10_000;

export interface VectorsDeps {
  readonly store: MemoryStore;
  readonly embedder: Embedder;
  readonly ids: IdSource;
}

interface Matrix {
  /** Of the scope's vectors when they were read: which set, and how often it had changed. */
  readonly state: string;
  readonly texts: readonly number[];
  readonly table: VectorTable;
}

/** Vectors as rows beside what they stand for; scored here, in the same arithmetic over every store. */
export class Vectors {
  readonly #store: MemoryStore;
  readonly #embedder: Embedder;
  readonly #ids: IdSource;
  readonly #matrices = new Map<string, Matrix>();
  /** Where an `embed` of records ended: those before have vectors for as long as the state stands. */
  readonly #ends = new Map<string, { readonly state: string; readonly next: string }>();

  constructor({ store, embedder, ids }: VectorsDeps) {
    this.#store = store;
    this.#embedder = embedder;
    this.#ids = ids;
  }

  get embedderId(): string {
    return this.#embedder.id;
  }

  /** Embeds what has no vector of this model yet; goes on where an earlier call ended. Returns how many. */
  async embed(scope: Scope, source: Source, signal: AbortSignal | undefined): Promise<number> {
    const name = nameOf(scope, source);
    const { from, to } = under(source === "events" ? "event/" : "record/");
    const began = await this.#state(scope, source);
    const end = this.#ends.get(name);
    let next = end?.state === began.state ? end.next : from;
    let count = 0;
    let commits = 0;
    let whole = true;
    for (;;) {
      const entries = await this.#store.scan(scope, { from: next, to, limit: this.#embedder.maxBatch });
      const last = entries.at(-1);
      if (last === undefined) break;
      const made = await this.#page(scope, source, entries, signal);
      if (made === undefined) whole = false;
      else if (made > 0) commits += 1;
      count += made ?? 0;
      next = `${last.key}!`;
    }
    const now = await this.#state(scope, source);
    if (whole && source === "records" && now.changes === began.changes + commits) {
      keep(this.#ends, name, { state: now.state, next }, ENDS);
    }
    return count;
  }

  /** All texts by nearness to the query, of a source; `undefined` when none has a vector of this model. */
  async near(
    scope: Scope,
    source: Source,
    query: string,
    signal: AbortSignal | undefined,
  ): Promise<BestFirst | undefined> {
    const { texts, table } = await this.#matrix(scope, source);
    if (texts.length === 0) return undefined;
    const [asked] = await this.#ask([query], "query", signal);
    return new BestFirst(texts, table.scores(asked as Float32Array));
  }

  /** How many were embedded; `undefined` when another writer was faster, and it was none. */
  async #page(
    scope: Scope,
    source: Source,
    entries: readonly Entry[],
    signal: AbortSignal | undefined,
  ): Promise<number | undefined> {
    const places = entries.map(({ key, value }) => {
      const stored = JSON.parse(value) as EventRow & RecordRow;
      const number = source === "events" ? textNumber(stored.group, stored.position) : stored.ordinal;
      return {
        key,
        value,
        at: keys.vector(source, number),
        text: source === "events" ? textOfEvent(stored) : stored.text,
      };
    });
    const { values } = await this.#store.read(scope, {
      keys: [...places.map(({ at }) => at), keys.generation(source)],
    });
    const generation = values.at(-1);
    const missing = places.filter(({ text }, index) => {
      const found = values[index];
      return (
        text !== "" && (found === undefined || (JSON.parse(found) as { model: string }).model !== this.#embedder.id)
      );
    });
    if (missing.length === 0) return 0;
    const vectors = await this.#ask(
      missing.map(({ text }) => text),
      "document",
      signal,
    );
    const batch: Batch = {
      expect: missing.map(({ key, value }) => ({ key, value })),
      put: [
        ...missing.map(({ at }, index) => ({
          key: at,
          value: stored(this.#embedder.id, vectors[index] as Float32Array),
        })),
        ...(generation === undefined ? [{ key: keys.generation(source), value: this.#ids.next("gen") }] : []),
      ],
      add: [{ counter: vectorChanges(source), by: 1 }],
    };
    return (await this.#store.commit(scope, batch)) ? missing.length : undefined;
  }

  async #ask(
    values: readonly string[],
    kind: "query" | "document",
    signal: AbortSignal | undefined,
  ): Promise<Float32Array[]> {
    const { dimensions, id } = this.#embedder;
    const vectors = await this.#embedder.embed(values, { kind, ...(signal === undefined ? {} : { signal }) });
    const whole = Array.isArray(vectors) && vectors.length === values.length ? vectors : [];
    const taken = whole.map((vector) => Float32Array.from(vector ?? []));
    if (taken.length === 0 || !taken.every((vector) => vector.length === dimensions && vector.every(Number.isFinite))) {
      throw new MemoryError(
        "MEMORY_DIMENSIONS",
        `The embedder ${id} did not answer ${values.length} vectors of ${dimensions} numbers: bind one that says what it is.`,
      );
    }
    return taken.map(unit);
  }

  async #matrix(scope: Scope, source: Source): Promise<Matrix> {
    const name = nameOf(scope, source);
    const { state } = await this.#state(scope, source);
    const kept = this.#matrices.get(name);
    if (kept?.state === state) return kept;
    const { dimensions, id } = this.#embedder;
    const texts: number[] = [];
    const vectors: string[] = [];
    const { from, to } = under(keys.vectors(source));
    for (let next = from; ; ) {
      const entries = await this.#store.scan(scope, { from: next, to, limit: PAGE });
      for (const { key, value } of entries) {
        const { model, data } = JSON.parse(value) as { readonly model: string; readonly data: string };
        if (model !== id || Buffer.byteLength(data, "base64") !== 4 * dimensions) continue;
        texts.push(Number(key.slice(keys.vectors(source).length)));
        vectors.push(data);
      }
      const last = entries.at(-1);
      if (last === undefined || entries.length < PAGE) break;
      next = `${last.key}!`;
    }
    const matrix = { state, texts, table: new VectorTable(vectors, dimensions) };
    keep(this.#matrices, name, matrix, MATRICES);
    return matrix;
  }

  /** Which set of vectors a scope holds, and how often it changed. */
  async #state(scope: Scope, source: Source): Promise<{ readonly state: string; readonly changes: number }> {
    const { values, counters } = await this.#store.read(scope, {
      keys: [keys.generation(source)],
      counters: [vectorChanges(source)],
    });
    return { state: JSON.stringify([values, counters]), changes: counters[0] ?? 0 };
  }
}

const nameOf = ({ tenant, memory }: Scope, source: Source): string => JSON.stringify([tenant, memory, source]);

function keep<T>(all: Map<string, T>, name: string, each: T, most: number): void {
  all.delete(name);
  all.set(name, each);
  const [oldest] = all.keys();
  if (all.size > most && oldest !== undefined) all.delete(oldest);
}

const stored = (model: string, vector: Float32Array): string =>
  JSON.stringify({ model, data: Buffer.from(vector.buffer).toString("base64") });

function unit(vector: Float32Array): Float32Array {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return length === 0 ? vector : vector.map((value) => value / length);
}
