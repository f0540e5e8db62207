import type { ToolEmbedder } from "./tool-embedder.ts";
import { ToolSearch } from "./tool-search.ts";
import type { ToolDescription } from "./tool-source.ts";

/** Of reciprocal rank fusion (Cormack et al. 2009): how little the first ranks outweigh the next ones. */
const K = 60;
/** Of each ranking, that many take part. */
const DEPTH = 50;

/** `ToolSearch` by words, joined by rank with nearness of meaning where there is an embedder that answers. */
export class FusedToolSearch {
  readonly #tools: readonly ToolDescription[];
  readonly #words: ToolSearch;
  readonly #embedder: ToolEmbedder | undefined;
  #vectors: Promise<readonly Float32Array[]> | undefined;

  constructor(tools: readonly ToolDescription[], embedder?: ToolEmbedder) {
    this.#tools = tools;
    this.#words = new ToolSearch(tools);
    this.#embedder = embedder;
  }

  async search(
    query: string,
    limit = 10,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<readonly ToolDescription[]> {
    const near =
      this.#embedder === undefined ? [] : await this.#nearest(this.#embedder, query, options).catch(() => []);
    if (near.length === 0) return this.#words.search(query, limit);
    const scores = new Map<ToolDescription, number>();
    for (const ranking of [this.#words.search(query, DEPTH), near]) {
      for (const [rank, tool] of ranking.entries()) scores.set(tool, (scores.get(tool) ?? 0) + 1 / (K + rank + 1));
    }
    const ranked = [...scores].sort(([, left], [, right]) => right - left);
    return ranked.slice(0, limit).map(([tool]) => tool);
  }

  async #nearest(
    embedder: ToolEmbedder,
    query: string,
    options: { readonly signal?: AbortSignal },
  ): Promise<readonly ToolDescription[]> {
    // Not aborted with the call that happened to be the first: the next one needs them too.
    this.#vectors ??= embedder.embed(this.#tools.map(textOf)).then((vectors) => vectors.map(unit));
    const failed = () => {
      this.#vectors = undefined;
    };
    this.#vectors.catch(failed);
    const [vectors, [asked]] = await Promise.all([this.#vectors, embedder.embed([query], options)]);
    if (asked === undefined || vectors.length !== this.#tools.length) return [];
    const direction = unit(asked);
    const ranked = vectors.map((vector, index) => ({ index, score: product(vector, direction) }));
    ranked.sort((left, right) => right.score - left.score || left.index - right.index);
    return ranked.slice(0, DEPTH).flatMap(({ index }) => this.#tools[index] ?? []);
  }
}

const textOf = ({ name, description = "" }: ToolDescription): string => `${name}: ${description}`;

function unit(vector: ArrayLike<number>): Float32Array {
  const made = Float32Array.from(vector);
  const length = Math.sqrt(product(made, made)) || 1;
  return made.map((each) => each / length);
}

function product(left: Float32Array, right: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < left.length; at++) sum += (left[at] ?? 0) * (right[at] ?? 0);
  return sum;
}
