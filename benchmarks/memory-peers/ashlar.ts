import { Memory } from "@ashlar/memory";
import { SqliteMemoryStore } from "@ashlar/memory/sqlite";
import Database from "better-sqlite3";
import type { Contender } from "./contender.ts";
import { DIMENSIONS, vectorOf } from "./embedding.ts";

/** Words and vectors, fused. */
export function ashlar(scopes: number, path: string): Contender {
  const embed = async (values: readonly string[]) => values.map(vectorOf);
  const embedder = { id: "trivial", dimensions: DIMENSIONS, maxBatch: 100, embed };
  const memory = new Memory({ store: new SqliteMemoryStore({ database: new Database(path) }), embedder });
  const context = { principal: { tenant: "bench" } };
  return {
    add: (scope, texts) =>
      memory.records.createMany(
        context,
        `m${scope}`,
        texts.map((text) => ({ text })),
      ),
    async ready() {
      for (let scope = 0; scope < scopes; scope++) await memory.reembed(context, `m${scope}`);
    },
    async search(scope, text) {
      const hits = await memory.search(context, `m${scope}`, { text, topK: 10, sources: ["records"] });
      return hits.map((hit) => hit.text);
    },
  };
}
