import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream, createWriteStream, type WriteStream } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import type { BlobRef, BlobStore } from "../blob-store.ts";
import { type CallContext, type IdSource, systemIds } from "../dialect.ts";
import { RuntimeError } from "../errors.ts";
import { checkBlobKey, hashing } from "../internal/hashed.ts";

export interface DiskBlobStoreDeps {
  /** Made when absent, readable by this user only. */
  readonly folder: string;
  readonly ids?: IdSource;
}

/** One file per blob, named by a hash of tenant and key: no key can reach out of the folder or into another tenant. */
export class DiskBlobStore implements BlobStore {
  readonly #folder: string;
  readonly #ids: IdSource;

  constructor({ folder, ids = systemIds }: DiskBlobStoreDeps) {
    this.#folder = folder;
    this.#ids = ids;
  }

  async put(context: CallContext, key: string, body: ReadableStream<Uint8Array>, mediaType: string): Promise<BlobRef> {
    checkBlobKey(key);
    const path = this.#path(context, key);
    const draft = `${path}.${this.#ids.next("put")}`;
    const { stream, ref } = hashing(key, mediaType);
    let file: WriteStream | undefined;
    try {
      await mkdir(join(path, ".."), { recursive: true, mode: 0o700 });
      file = createWriteStream(draft, { mode: 0o600, flush: true });
      await body.pipeThrough(stream).pipeTo(Writable.toWeb(file), context.signal ? { signal: context.signal } : {});
      await rename(draft, path);
    } catch (error) {
      // A file that is being opened would appear after its removal.
      if (file !== undefined && !file.closed) await once(file.destroy(), "close").catch(() => {});
      await rm(draft, { force: true }).catch(() => {});
      throw failed(error);
    }
    return ref();
  }

  async get(context: CallContext, key: string): Promise<ReadableStream<Uint8Array> | undefined> {
    checkBlobKey(key);
    try {
      const file = await open(this.#path(context, key));
      return Readable.toWeb(createReadStream("", { fd: file })) as ReadableStream<Uint8Array>;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw failed(error);
    }
  }

  async delete(context: CallContext, key: string): Promise<void> {
    checkBlobKey(key);
    try {
      await rm(this.#path(context, key), { force: true });
    } catch (error) {
      throw failed(error);
    }
  }

  #path({ principal }: CallContext, key: string): string {
    const name = createHash("sha256")
      .update(JSON.stringify([principal.tenant, key]))
      .digest("hex");
    return join(this.#folder, name.slice(0, 2), name);
  }
}

/** The file system's errors become ours; those of the body's own stream stay as they are. */
function failed(error: unknown): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return error;
  const advice = code === "ENOSPC" ? "The disk is full: make room and repeat the call" : "Look at the folder's rights";
  return new RuntimeError("RUNTIME_BACKEND_FAILED", `The blob folder failed (${code} in ${syscall}). ${advice}.`, {
    cause: error,
  });
}
