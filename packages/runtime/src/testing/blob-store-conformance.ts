import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { BlobStore } from "../blob-store.ts";
import type { CallContext } from "../dialect.ts";
import type { TestFunction } from "./suite.ts";

export interface BlobStoreConformance {
  readonly test: TestFunction;
  createStore(): BlobStore | Promise<BlobStore>;
}

const acme: CallContext = { principal: { tenant: "acme" } };
const other: CallContext = { principal: { tenant: "acme2" } };

const streamOf = (...chunks: readonly Uint8Array[]): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
const text = (value: string) => streamOf(Buffer.from(value));
const readText = async (store: BlobStore, key: string, context = acme) => {
  const body = await store.get(context, key);
  return body === undefined ? undefined : await new Response(body).text();
};

/** The law of `BlobStore`. */
export function blobStoreConformance({ test, createStore }: BlobStoreConformance): void {
  const law = (name: string, body: (store: BlobStore) => Promise<void>) =>
    test(`blob store: ${name}`, async () => body(await createStore()));

  law("bytes come back as they went in, with their count and hash", async (store) => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) % 256));
    const ref = await store.put(acme, "a/b c", streamOf(bytes.subarray(0, 1000), bytes.subarray(1000)), "image/png");
    assert.deepEqual(ref, {
      key: "a/b c",
      bytes: bytes.length,
      sha256: createHash("sha256").update(bytes).digest("hex"),
      mediaType: "image/png",
    });
    const body = await store.get(acme, "a/b c");
    assert.ok(body);
    assert.deepEqual(Buffer.from(await new Response(body).arrayBuffer()), bytes);
  });

  law("an empty body is a body; an absent key is undefined", async (store) => {
    await store.put(acme, "empty", streamOf(), "text/plain");
    assert.equal(await readText(store, "empty"), "");
    assert.equal(await store.get(acme, "absent"), undefined);
  });

  law("a second put replaces; a put that breaks leaves the old body", async (store) => {
    await store.put(acme, "k", text("one"), "text/plain");
    await store.put(acme, "k", text("two"), "text/plain");
    assert.equal(await readText(store, "k"), "two");
    let pulls = 0;
    const broken = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (++pulls === 1) controller.enqueue(Buffer.from("half"));
        else controller.error(new Error("cut"));
      },
    });
    await assert.rejects(store.put(acme, "k", broken, "text/plain"));
    assert.equal(await readText(store, "k"), "two");
  });

  law("keys are apart by tenant and are never paths", async (store) => {
    await store.put(acme, "../../etc/passwd", text("ours"), "text/plain");
    await store.put(other, "../../etc/passwd", text("theirs"), "text/plain");
    assert.equal(await readText(store, "../../etc/passwd"), "ours");
    assert.equal(await readText(store, "../../etc/passwd", other), "theirs");
    await store.delete(other, "../../etc/passwd");
    assert.equal(await readText(store, "../../etc/passwd"), "ours");
  });

  law("a deleted key is absent, and deleting twice is harmless", async (store) => {
    await store.put(acme, "k", text("one"), "text/plain");
    await store.delete(acme, "k");
    await store.delete(acme, "k");
    assert.equal(await store.get(acme, "k"), undefined);
  });

  law("a key outside 1 to 512 characters, or with NUL, is refused", async (store) => {
    for (const key of ["", "x".repeat(513), "a\0b"]) {
      await assert.rejects(store.put(acme, key, text("x"), "text/plain"), { code: "RUNTIME_INVALID" });
    }
  });
}
