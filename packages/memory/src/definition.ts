/** What a memory is set up to do. Every part is optional: without it the memory works by its defaults. */
export interface NewDefinition {
  readonly description?: string;
  /** Ids of the strategies that work on it; the others do not. Default all that are bound. */
  readonly strategies?: readonly string[];
  /** How long what names no `expiresAt` is kept. Default for ever. Counts for what is written from then on. */
  readonly retention?: { readonly eventsMs?: number; readonly recordsMs?: number };
  /** Id of the embedder of its vectors: `reembed` with another is refused. */
  readonly embedder?: string;
}

export interface MemoryDefinition extends NewDefinition {
  /** The memory's name. */
  readonly name: string;
  /** Counts up from 1. */
  readonly version: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}
