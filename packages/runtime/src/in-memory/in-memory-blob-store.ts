import type { BlobRef, BlobStore } from "../blob-store.ts";
import type { CallContext } from "../dialect.ts";
import { checkBlobKey, hashing } from "../internal/hashed.ts";

export class InMemoryBlobStore implements BlobStore {
  readonly #blobs = new Map<string, Blob>();

  async put(
    { principal }: CallContext,
    key: string,
    body: ReadableStream<Uint8Array>,
    mediaType: string,
  ): Promise<BlobRef> {
    checkBlobKey(key);
    const { stream, ref } = hashing(key, mediaType);
    const blob = await new Response(body.pipeThrough(stream)).blob();
    this.#blobs.set(JSON.stringify([principal.tenant, key]), blob);
    return ref();
  }

  async get({ principal }: CallContext, key: string): Promise<ReadableStream<Uint8Array> | undefined> {
    return this.#blobs.get(JSON.stringify([principal.tenant, key]))?.stream();
  }

  async delete({ principal }: CallContext, key: string): Promise<void> {
    this.#blobs.delete(JSON.stringify([principal.tenant, key]));
  }
}
