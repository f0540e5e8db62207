/**
 * The same job for each contender, in the same run: 10,000 records in 10 scopes, then searches by text with the same
 * trivial embedder. Ours answers lexically and by vector, fused; LangGraph's in-memory store answers by vector.
 */
import { Memory } from "@ashlar/memory";
import { SqliteMemoryStore } from "@ashlar/memory/sqlite";
import { InMemoryStore } from "@langchain/langgraph-checkpoint";
import Database from "better-sqlite3";
import { report, round, spread } from "../support/measure.ts";
import { randomText } from "../support/random-text.ts";

const SCOPES = 10;
const RECORDS = Number(process.argv[2] ?? 10_000);
const QUERIES = 200;
const DIMENSIONS = 256;

/** Hashes words into a vector: worth nothing as meaning, the same small cost for everybody. */
function vectorOf(text: string): number[] {
  const vector = new Array<number>(DIMENSIONS).fill(0);
  for (const word of text.split(" ")) {
    let hash = 0;
    for (let at = 0; at < word.length; at++) hash = (Math.imul(hash, 31) + word.charCodeAt(at)) >>> 0;
    const place = hash % DIMENSIONS;
    vector[place] = (vector[place] ?? 0) + 1;
  }
  return vector;
}

interface Contender {
  add(scope: number, texts: readonly string[]): Promise<unknown>;
  ready(): Promise<unknown>;
  search(scope: number, text: string): Promise<unknown>;
}

function ashlar(): Contender {
  const embed = async (values: readonly string[]) => values.map(vectorOf);
  const embedder = { id: "trivial", dimensions: DIMENSIONS, maxBatch: 100, embed };
  const memory = new Memory({ store: new SqliteMemoryStore({ database: new Database(":memory:") }), embedder });
  const context = { principal: { tenant: "bench" } };
  return {
    add: (scope, texts) =>
      memory.records.createMany(
        context,
        `m${scope}`,
        texts.map((text) => ({ text })),
      ),
    async ready() {
      for (let scope = 0; scope < SCOPES; scope++) await memory.reembed(context, `m${scope}`);
    },
    search: (scope, text) => memory.search(context, `m${scope}`, { text, topK: 10, sources: ["records"] }),
  };
}

function langgraph(): Contender {
  const embeddings = {
    embedQuery: async (text: string) => vectorOf(text),
    embedDocuments: async (texts: string[]) => texts.map(vectorOf),
  };
  const store = new InMemoryStore({ index: { dims: DIMENSIONS, embeddings: embeddings as never, fields: ["text"] } });
  let count = 0;
  return {
    async add(scope, texts) {
      for (const text of texts) await store.put([`m${scope}`], `${count++}`, { text });
    },
    ready: async () => {},
    search: (scope, text) => store.search([`m${scope}`], { query: text, limit: 10 }),
  };
}

const contenders = { ashlar: ashlar(), langgraph: langgraph() };
const rows: Record<string, { addPerSecond: number; coldMs: number; warmP50Ms: number; warmP99Ms: number }> = {};
for (const [name, contender] of Object.entries(contenders)) {
  const text = randomText(3);
  let adding = 0;
  for (let written = 0; written < RECORDS; written += 100) {
    const texts = Array.from({ length: 100 }, () => text(20));
    const start = performance.now();
    await contender.add((written / 100) % SCOPES, texts);
    adding += performance.now() - start;
  }
  const embedding = performance.now();
  await contender.ready();
  adding += performance.now() - embedding;
  const samples: number[] = [];
  const first: number[] = [];
  for (let query = 0; query < QUERIES; query++) {
    const words = text(5);
    const start = performance.now();
    await contender.search(query % SCOPES, words);
    (query < SCOPES ? first : samples).push(performance.now() - start);
  }
  const { p50, p99 } = spread(samples);
  rows[name] = {
    addPerSecond: round((RECORDS / adding) * 1e3),
    coldMs: round(spread(first).p50),
    warmP50Ms: round(p50),
    warmP99Ms: round(p99),
  };
}
const { ashlar: own, langgraph: peer } = rows;
if (own === undefined || peer === undefined) throw new Error("A contender has no row.");
report(
  "memory-peers",
  Object.entries(rows).map(([contender, row]) => ({ contender, ...row })),
  {
    ratios: { langgraph: round(peer.warmP50Ms / own.warmP50Ms) },
    coldRatios: { langgraph: round(peer.coldMs / own.coldMs) },
    addRatios: { langgraph: round(own.addPerSecond / peer.addPerSecond) },
  },
);
