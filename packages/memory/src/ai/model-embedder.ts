import { type EmbeddingModel, embedMany } from "ai";
import type { Embedder } from "../embedder.ts";
import { MemoryError } from "../errors.ts";

export interface ModelEmbedderDeps {
  /** Of any provider of the AI SDK; for an OpenAI-compatible endpoint that of `@ai-sdk/openai-compatible`. */
  readonly model: EmbeddingModel;
  /** Numbers of one vector. */
  readonly dimensions: number;
  /** Default: the model's own name. Change it when the model behind that name changes. */
  readonly id?: string;
  /** Most texts of one call. Default 96. */
  readonly maxBatch?: number;
}

/** Embeds with an embedding model of the AI SDK. */
export class ModelEmbedder implements Embedder {
  readonly id: string;
  readonly dimensions: number;
  readonly maxBatch: number;
  readonly #model: EmbeddingModel;

  constructor({ model, dimensions, id, maxBatch = 96 }: ModelEmbedderDeps) {
    this.#model = model;
    this.id = id ?? (typeof model === "string" ? model : `${model.provider}/${model.modelId}`);
    this.dimensions = dimensions;
    this.maxBatch = maxBatch;
  }

  async embed(
    values: readonly string[],
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<readonly (readonly number[])[]> {
    try {
      const { embeddings } = await embedMany({
        model: this.#model,
        values: [...values],
        ...(signal === undefined ? {} : { abortSignal: signal }),
      });
      return embeddings;
    } catch (cause) {
      signal?.throwIfAborted();
      throw new MemoryError(
        "MEMORY_BACKEND_FAILED",
        `The embedding model ${this.id} did not answer: repeat the call, or search without an embedder.`,
        { cause: cause instanceof Error ? new Error(cause.name) : undefined },
      );
    }
  }
}
