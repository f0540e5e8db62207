import type { BlobStore } from "../blob-store.ts";
import { type CallContext, type IdSource, systemIds } from "../dialect.ts";

export interface BlobWorkspacesDeps {
  readonly blobs: BlobStore;
  readonly ids?: IdSource;
}

/**
 * The files of sessions between the machines they run on, one archive per name and save. Fits the `Workspaces` port of
 * tools. A save replaces the one before it, whole or not at all: a pointer names the newest archive.
 */
export class BlobWorkspaces {
  readonly #blobs: BlobStore;
  readonly #ids: IdSource;

  constructor({ blobs, ids = systemIds }: BlobWorkspacesDeps) {
    this.#blobs = blobs;
    this.#ids = ids;
  }

  /** `undefined` when nothing was saved under that name yet. */
  async restore(context: CallContext, workspace: string): Promise<ReadableStream<Uint8Array> | undefined> {
    const newest = await this.newest(context, workspace);
    return newest === undefined ? undefined : this.#blobs.get(context, newest);
  }

  /** Gives the name of the save, which `newest` gives until the next one. */
  async save(context: CallContext, workspace: string, archive: ReadableStream<Uint8Array>): Promise<string> {
    const before = await this.newest(context, workspace);
    const key = `workspaces/${workspace}/${this.#ids.next("wsp")}`;
    await this.#blobs.put(context, key, archive, "application/gzip");
    const named = new Blob([key]).stream() as ReadableStream<Uint8Array>;
    await this.#blobs.put(context, pointer(workspace), named, "text/plain");
    if (before !== undefined) await this.#blobs.delete(context, before);
    return key;
  }

  /** Names the newest save; `undefined` when there is none. */
  async newest(context: CallContext, workspace: string): Promise<string | undefined> {
    const named = await this.#blobs.get(context, pointer(workspace));
    return named === undefined ? undefined : new Response(named).text();
  }

  async delete(context: CallContext, workspace: string): Promise<void> {
    const newest = await this.newest(context, workspace);
    await this.#blobs.delete(context, pointer(workspace));
    if (newest !== undefined) await this.#blobs.delete(context, newest);
  }
}

const pointer = (workspace: string): string => `workspaces/${workspace}`;
