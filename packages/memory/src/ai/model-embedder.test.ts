import { MockEmbeddingModelV4 } from "ai/test";
import { expect, test } from "vitest";
import { InMemoryMemoryStore } from "../in-memory/index.ts";
import { Memory } from "../memory.ts";
import { ModelEmbedder } from "./index.ts";

const acme = { principal: { tenant: "acme" } };

test("an embedding model of the AI SDK takes part in the ranking", async () => {
  const model = new MockEmbeddingModelV4({
    doEmbed: async ({ values }) => ({
      embeddings: values.map((value) => (/car|vehicle/.test(value) ? [1, 0] : [0, 1])),
      warnings: [],
    }),
  });
  const embedder = new ModelEmbedder({ model, dimensions: 2 });
  const memory = new Memory({ store: new InMemoryMemoryStore(), embedder });
  for (const text of ["my car", "a heron"]) await memory.records.create(acme, "m", { text });
  expect(await memory.reembed(acme, "m")).toBe(2);
  expect((await memory.search(acme, "m", { text: "vehicle" }))[0]).toMatchObject({ text: "my car" });
});

test("a model that fails is an error that can be retried and holds nobody's words", async () => {
  const model = new MockEmbeddingModelV4({
    doEmbed: async ({ values }) => {
      throw new TypeError(`cannot embed ${values[0]}`);
    },
  });
  const failure = await new ModelEmbedder({ model, dimensions: 2 }).embed(["planted words"]).catch((error) => error);
  expect(failure).toMatchObject({ code: "MEMORY_BACKEND_FAILED", retryable: true });
  const { inspect } = await import("node:util");
  expect(inspect(failure, { depth: 10, showHidden: true })).not.toContain("planted words");
});
