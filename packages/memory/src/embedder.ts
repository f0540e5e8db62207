/** Turns texts into vectors. Any model will do; none is a default, since none runs from npm alone. */
export interface Embedder {
  /** Of the model: vectors of another id are not compared. */
  readonly id: string;
  readonly dimensions: number;
  /** Most texts of one call. */
  readonly maxBatch: number;
  /** One vector for each value, in order. */
  embed(
    values: readonly string[],
    options: { readonly kind: "query" | "document"; readonly signal?: AbortSignal },
  ): Promise<readonly (readonly number[] | Float32Array)[]>;
}
