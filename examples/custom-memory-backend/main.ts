import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Memory } from "@ashlar/memory";
import { memoryStoreConformance } from "@ashlar/memory/testing";
import { JsonFileMemoryStore } from "./json-file-memory-store.ts";

const folder = mkdtempSync(join(tmpdir(), "ashlar-example-"));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const createStore = () => new JsonFileMemoryStore(join(folder, `${files++}.json`));

memoryStoreConformance({ test, createStore });

test("everything above the port works on it, and survives a restart", async () => {
  const path = join(folder, "kept.json");
  const context = { principal: { tenant: "acme" } };
  const turn = { actor: "ada", session: "s", role: "user", text: "The heron stood in the lake." } as const;
  await new Memory({ store: new JsonFileMemoryStore(path) }).events.append(context, "birds", turn);
  const [hit] = await new Memory({ store: new JsonFileMemoryStore(path) }).search(context, "birds", { text: "herons" });
  console.log(hit?.text, hit?.score);
  assert.equal(hit?.text, turn.text);
});
