import assert from "node:assert/strict";
import type { Embedder } from "../embedder.ts";
import type { TestFunction } from "./suite.ts";

export interface EmbedderConformanceOptions {
  readonly test: TestFunction;
  readonly createEmbedder: () => Embedder | Promise<Embedder>;
}

const subjects =
  "heron lake invoice guitar volcano bread passport algebra winter hospital rocket carpet election spider opera tax".split(
    " ",
  );
const texts = (count: number): string[] => subjects.slice(0, count).map((subject) => `All about the ${subject}.`);
const kinds = ["query", "document"] as const;

/** The law of `Embedder`: run it with your runner's `test` on your own. */
export function embedderConformance({ test, createEmbedder }: EmbedderConformanceOptions): void {
  const law = (name: string, body: (embedder: Embedder) => Promise<void>) =>
    test(`Embedder: ${name}`, async () => body(await createEmbedder()));

  law("it says which model it is and what fits into one call", async ({ id, dimensions, maxBatch }) => {
    assert.ok(id.length > 0 && id.length <= 256);
    assert.ok(Number.isInteger(dimensions) && dimensions > 0);
    assert.ok(Number.isInteger(maxBatch) && maxBatch > 0);
  });

  law("each value gets a vector of its dimensions, of finite numbers", async (embedder) => {
    for (const kind of kinds) {
      const vectors = await embedder.embed(texts(Math.min(3, embedder.maxBatch)), { kind });
      assert.equal(vectors.length, Math.min(3, embedder.maxBatch));
      for (const vector of vectors) {
        assert.equal(vector.length, embedder.dimensions);
        assert.ok([...vector].every(Number.isFinite));
      }
    }
  });

  law("a full batch is answered in the order of the values", async (embedder) => {
    const values = texts(Math.min(embedder.maxBatch, 16));
    const together = await embedder.embed(values, { kind: "document" });
    for (const at of [0, values.length - 1]) {
      const [alone] = await embedder.embed([values[at] as string], { kind: "document" });
      assert.ok(
        near(together[at] as ArrayLike<number>, alone as ArrayLike<number>),
        `value ${at} has another's vector`,
      );
    }
  });

  law("an aborted call rejects", async (embedder) => {
    await assert.rejects(async () => embedder.embed(texts(1), { kind: "query", signal: AbortSignal.abort() }));
  });
}

/** Models that run on several cores round a little differently from call to call. */
const near = (a: ArrayLike<number>, b: ArrayLike<number>): boolean =>
  Array.from(a).every((value, at) => Math.abs(value - (b[at] ?? Number.NaN)) <= 1e-3);
