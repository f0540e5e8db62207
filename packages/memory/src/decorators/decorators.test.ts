import { test } from "vitest";
import { InMemoryMemoryStore } from "../in-memory/index.ts";
import { memoryStoreConformance } from "../testing/index.ts";
import { CachedMemoryStore } from "./cached-memory-store.ts";
import { TracedMemoryStore } from "./traced-memory-store.ts";

for (const [name, createStore] of [
  ["cached", () => new CachedMemoryStore({ store: new InMemoryMemoryStore() })],
  ["traced", () => new TracedMemoryStore({ store: new InMemoryMemoryStore() })],
] as const) {
  memoryStoreConformance({ test: (law, body) => test(`${name}: ${law}`, body), createStore });
}
