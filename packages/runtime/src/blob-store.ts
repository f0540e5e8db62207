import type { CallContext } from "./dialect.ts";

/** `bytes` and `sha256` (hexadecimal) are of the stored body. */
export interface BlobRef {
  readonly key: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly mediaType: string;
}

/**
 * Bytes by key, per tenant: files, workspaces, recordings and bodies too large for a log.
 *
 * - `put` replaces atomically: a reader sees the old body or the new one, and a failed or cut-off `put` leaves the old.
 * - A key is 1 to 512 characters, any but NUL; keys of different tenants never meet, whatever characters they hold.
 * - `get` of an absent key is `undefined`; `delete` of one does nothing.
 */
export interface BlobStore {
  put(context: CallContext, key: string, body: ReadableStream<Uint8Array>, mediaType: string): Promise<BlobRef>;
  get(context: CallContext, key: string): Promise<ReadableStream<Uint8Array> | undefined>;
  delete(context: CallContext, key: string): Promise<void>;
}
