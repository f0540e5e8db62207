import { createHash } from "node:crypto";
import type { BlobRef } from "../blob-store.ts";
import { RuntimeError } from "../errors.ts";

/** Counts and hashes what flows through; `ref()` is right once the stream has ended. */
export function hashing(
  key: string,
  mediaType: string,
): {
  readonly stream: TransformStream<Uint8Array, Uint8Array>;
  ref(): BlobRef;
} {
  const hash = createHash("sha256");
  let bytes = 0;
  const stream = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      hash.update(chunk);
      bytes += chunk.byteLength;
      controller.enqueue(chunk);
    },
  });
  return { stream, ref: () => ({ key, bytes, sha256: hash.digest("hex"), mediaType }) };
}

export function checkBlobKey(key: string): void {
  if (key.length >= 1 && key.length <= 512 && !key.includes("\0")) return;
  throw new RuntimeError("RUNTIME_INVALID", "A blob's key has 1 to 512 characters and no NUL.");
}
