import { z } from "zod";
import type { Embedder } from "../embedder.ts";
import { MemoryError } from "../errors.ts";
import type { Batch, Entry, MemoryStore, Scope } from "../memory-store.ts";
import type { Ranked } from "./bm25.ts";
import { textNumber } from "./document-number.ts";
import { type EventRow, textOfEvent } from "./event-row.ts";
import type { Source } from "./indexing.ts";
import { keys, under } from "./keys.ts";
import type { RecordRow } from "./record-row.ts";

/** Reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009) with its published constant. */
const FUSION = 60;
const NEAREST = 200;
const PAGE = 500;

interface Matrix {
  readonly version: number;
  readonly texts: readonly number[];
  /** One after the other, each of unit length. */
  readonly vectors: Float32Array;
}

const row = z.object({ model: z.string(), data: z.string() });

/** Vectors as rows beside what they stand for; scored here, in the same arithmetic over every store. */
export class Vectors {
  readonly #store: MemoryStore;
  readonly #embedder: Embedder;
  readonly #matrices = new Map<string, Matrix>();

  constructor({ store, embedder }: { readonly store: MemoryStore; readonly embedder: Embedder }) {
    this.#store = store;
    this.#embedder = embedder;
  }

  get embedderId(): string {
    return this.#embedder.id;
  }

  /** Embeds what has no vector of this model yet; goes on where an earlier call ended. Returns how many. */
  async embed(scope: Scope, source: Source, signal: AbortSignal | undefined): Promise<number> {
    let count = 0;
    const prefix = source === "events" ? "event/" : "record/";
    const { from, to } = under(prefix);
    for (let next = from; ; ) {
      const entries = await this.#store.scan(scope, { from: next, to, limit: this.#embedder.maxBatch });
      const last = entries.at(-1);
      if (last === undefined) return count;
      count += await this.#page(scope, source, entries, signal);
      next = `${last.key}!`;
    }
  }

  /** The ranking with the nearest vectors taken in; unchanged when there are none of this model. */
  async fuse(
    scope: Scope,
    source: Source,
    query: string,
    ranked: readonly Ranked[],
    signal: AbortSignal | undefined,
  ): Promise<{ readonly ranked: readonly Ranked[]; readonly ranks: ReadonlyMap<number, number> }> {
    const { texts, vectors } = await this.#matrix(scope, source);
    if (texts.length === 0) return { ranked, ranks: new Map() };
    const [asked] = await this.#ask([query], "query", signal);
    const near = nearest(texts, vectors, asked as Float32Array);
    const ranks = new Map(near.map((text, rank) => [text, rank + 1]));
    const scores = new Map<number, number>();
    /** Beyond the depth of the vectors nothing can rise: these follow in their own order. */
    const rest: Ranked[] = [];
    ranked.forEach(({ text }, index) => {
      const score = 1 / (FUSION + index + 1);
      if (index < NEAREST || ranks.has(text)) scores.set(text, score);
      else rest.push({ text, score });
    });
    for (const [text, rank] of ranks) scores.set(text, (scores.get(text) ?? 0) + 1 / (FUSION + rank));
    const fused = [...scores].map(([text, score]) => ({ text, score }));
    fused.sort((a, b) => b.score - a.score || b.text - a.text);
    return { ranked: [...fused, ...rest], ranks };
  }

  async #page(
    scope: Scope,
    source: Source,
    entries: readonly Entry[],
    signal: AbortSignal | undefined,
  ): Promise<number> {
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
    const { values } = await this.#store.read(scope, { keys: places.map(({ at }) => at) });
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
      put: missing.map(({ at }, index) => ({
        key: at,
        value: stored(this.#embedder.id, vectors[index] as Float32Array),
      })),
    };
    return (await this.#store.commit(scope, batch)) ? missing.length : 0;
  }

  async #ask(
    values: readonly string[],
    kind: "query" | "document",
    signal: AbortSignal | undefined,
  ): Promise<Float32Array[]> {
    const { dimensions, id } = this.#embedder;
    const vectors = await this.#embedder.embed(values, { kind, ...(signal === undefined ? {} : { signal }) });
    if (vectors.length !== values.length || vectors.some(({ length }) => length !== dimensions)) {
      throw new MemoryError(
        "MEMORY_DIMENSIONS",
        `The embedder ${id} did not answer ${values.length} vectors of ${dimensions} numbers.`,
      );
    }
    return vectors.map((vector) => unit(Float32Array.from(vector)));
  }

  async #matrix(scope: Scope, source: Source): Promise<Matrix> {
    const name = JSON.stringify([scope.tenant, scope.memory, source]);
    const version = await this.#store.version(scope);
    const kept = this.#matrices.get(name);
    if (kept?.version === version) return kept;
    const texts: number[] = [];
    const vectors: Float32Array[] = [];
    const { from, to } = under(keys.vectors(source));
    for (let next = from; ; ) {
      const entries = await this.#store.scan(scope, { from: next, to, limit: PAGE });
      for (const { key, value } of entries) {
        const { model, data } = row.parse(JSON.parse(value));
        const bytes = Buffer.from(data, "base64");
        if (model !== this.#embedder.id || bytes.length !== 4 * this.#embedder.dimensions) continue;
        texts.push(Number(key.slice(keys.vectors(source).length)));
        vectors.push(new Float32Array(new Uint8Array(bytes).buffer));
      }
      const last = entries.at(-1);
      if (last === undefined || entries.length < PAGE) break;
      next = `${last.key}!`;
    }
    const { dimensions } = this.#embedder;
    const flat = new Float32Array(vectors.length * dimensions);
    vectors.forEach((vector, index) => {
      flat.set(vector, index * dimensions);
    });
    const matrix = { version, texts, vectors: flat };
    this.#matrices.delete(name);
    this.#matrices.set(name, matrix);
    const [oldest] = this.#matrices.keys();
    if (this.#matrices.size > 32 && oldest !== undefined) this.#matrices.delete(oldest);
    return matrix;
  }
}

const stored = (model: string, vector: Float32Array): string =>
  JSON.stringify({ model, data: Buffer.from(vector.buffer).toString("base64") });

/** The texts of the highest scores, best first; of equal scores the later text. */
function nearest(texts: readonly number[], vectors: Float32Array, asked: Float32Array): number[] {
  const scores = new Float64Array(texts.length);
  for (let index = 0; index < scores.length; index++) scores[index] = dot(asked, vectors, index * asked.length);
  const least = scores.slice().sort().at(-NEAREST) ?? Number.NEGATIVE_INFINITY;
  const near: Ranked[] = [];
  scores.forEach((score, index) => {
    if (score >= least) near.push({ text: texts[index] as number, score });
  });
  near.sort((a, b) => b.score - a.score || b.text - a.text);
  return near.slice(0, NEAREST).map(({ text }) => text);
}

/** In four sums, so that the processor need not wait for one. */
function dot(a: Float32Array, b: Float32Array, offset = 0): number {
  let [first, second, third, fourth] = [0, 0, 0, 0];
  let at = 0;
  for (; at + 3 < a.length; at += 4) {
    first += (a[at] as number) * (b[offset + at] as number);
    second += (a[at + 1] as number) * (b[offset + at + 1] as number);
    third += (a[at + 2] as number) * (b[offset + at + 2] as number);
    fourth += (a[at + 3] as number) * (b[offset + at + 3] as number);
  }
  for (; at < a.length; at++) first += (a[at] as number) * (b[offset + at] as number);
  return first + second + (third + fourth);
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.sqrt(dot(vector, vector));
  return length === 0 ? vector : vector.map((value) => value / length);
}
