import { InMemoryStore } from "@langchain/langgraph-checkpoint";
import type { Contender } from "./contender.ts";
import { DIMENSIONS, langchainEmbeddings } from "./embedding.ts";

/** By vector, in maps of this process. */
export function langgraph(): Contender {
  const index = { dims: DIMENSIONS, embeddings: langchainEmbeddings as never, fields: ["text"] };
  const store = new InMemoryStore({ index });
  let count = 0;
  return {
    async add(scope, texts) {
      for (const text of texts) await store.put([`m${scope}`], `${count++}`, { text });
    },
    ready: async () => {},
    async search(scope, text) {
      const items = await store.search([`m${scope}`], { query: text, limit: 10 });
      return items.map(({ value }) => String(value.text));
    },
  };
}
