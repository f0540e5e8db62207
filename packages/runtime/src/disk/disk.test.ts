import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "vitest";
import { blobStoreConformance } from "../testing/index.ts";
import { DiskBlobStore } from "./index.ts";

blobStoreConformance({
  test,
  createStore: async () => new DiskBlobStore({ folder: await mkdtemp(join(tmpdir(), "ashlar-blobs-")) }),
});
