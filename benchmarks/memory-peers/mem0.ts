import { join } from "node:path";
import type { Contender } from "./contender.ts";
import { DIMENSIONS, langchainEmbeddings } from "./embedding.ts";

/** Words and vectors, over its local store; texts are added as they are, so that no model is asked. */
export async function mem0(folder: string): Promise<Contender> {
  process.env.MEM0_TELEMETRY = "false";
  process.env.MEM0_DIR = folder;
  const { Memory } = await import("mem0ai/oss");
  const memory = new Memory({
    embedder: { provider: "langchain", config: { model: langchainEmbeddings } },
    vectorStore: {
      provider: "memory",
      config: { collectionName: "bench", dimension: DIMENSIONS, dbPath: join(folder, "mem0.db") },
    },
    llm: { provider: "openai", config: { apiKey: "none", baseURL: "http://127.0.0.1:9" } },
    historyStore: { provider: "sqlite", config: { historyDbPath: join(folder, "history.db") } },
  });
  return {
    async add(scope, texts) {
      for (const text of texts) await memory.add(text, { userId: `m${scope}`, infer: false });
    },
    ready: async () => {},
    async search(scope, text) {
      const { results } = await memory.search(text, { filters: { user_id: `m${scope}` }, topK: 10, threshold: 0 });
      return results.map((result) => result.memory);
    },
  };
}
