import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { blobStoreConformance } from "../testing/index.ts";
import { DiskBlobStore } from "./index.ts";

const context = { principal: { tenant: "acme" } };
const made: string[] = [];
const newFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "ashlar-blobs-"));
  made.push(folder);
  return folder;
};
afterAll(() => Promise.all(made.map((folder) => rm(folder, { recursive: true, force: true }))));
const bytes = (text: string) => new Blob([text]).stream();

blobStoreConformance({
  test,
  createStore: async () => new DiskBlobStore({ folder: await newFolder() }),
});

test("a cut-off put leaves no file behind, and a cancelled one neither", async () => {
  const folder = await newFolder();
  const store = new DiskBlobStore({ folder });
  const broken = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(Buffer.from("half"));
      controller.error(new Error("cut"));
    },
  });
  await expect(store.put(context, "k", broken, "text/plain")).rejects.toThrow("cut");
  const stop = new AbortController();
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(Buffer.alloc(1 << 16));
      stop.abort(new Error("stopped"));
    },
  });
  await expect(store.put({ ...context, signal: stop.signal }, "k", endless, "text/plain")).rejects.toThrow("stopped");
  const left = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  expect(left).toEqual([]);
});

test("a folder that cannot be used is a typed error with the reason", async () => {
  const file = join(await newFolder(), "file");
  await writeFile(file, "");
  const store = new DiskBlobStore({ folder: file });
  const refusal = { code: "RUNTIME_BACKEND_FAILED", message: expect.stringMatching(/EEXIST|ENOTDIR/) };
  await expect(store.put(context, "k", bytes("x"), "text/plain")).rejects.toMatchObject(refusal);
  await expect(store.get(context, "k")).rejects.toMatchObject(refusal);
});
