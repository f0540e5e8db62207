import { LibSQLVector } from "@mastra/libsql";
import type { Contender } from "./contender.ts";
import { DIMENSIONS, vectorOf } from "./embedding.ts";

/** By vector, an index for each scope, in libSQL. */
export async function mastra(scopes: number, path: string): Promise<Contender> {
  const store = new LibSQLVector({ id: "bench", url: `file:${path}` });
  for (let scope = 0; scope < scopes; scope++) {
    await store.createIndex({ indexName: `m${scope}`, dimension: DIMENSIONS });
  }
  return {
    add: (scope, texts) =>
      store.upsert({
        indexName: `m${scope}`,
        vectors: texts.map(vectorOf),
        metadata: texts.map((text) => ({ text })),
      }),
    ready: async () => {},
    async search(scope, text) {
      const found = await store.query({ indexName: `m${scope}`, queryVector: vectorOf(text), topK: 10 });
      return found.map(({ metadata }) => String(metadata?.text));
    },
  };
}
