/** The same calls on LangGraph's own `InMemoryStore` and on ours behind its `BaseStore` type: equal answers, or it fails. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { AsyncBatchedStore, type BaseStore, InMemoryStore, type Operation } from "@langchain/langgraph-checkpoint";
import { InMemoryMemoryStore, Memory } from "../../packages/memory/src/index.ts";
import { LangGraphStore } from "../../packages/memory/src/langgraph/index.ts";

const ours = (): BaseStore =>
  new LangGraphStore({
    memory: new Memory({ store: new InMemoryMemoryStore() }),
    name: "graph",
    principal: { tenant: "referee" },
  });

let seed = 7;
const pick = <T>(from: readonly T[]): T => {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
  return from[(seed >>> 8) % from.length] as T;
};

const namespaces = [["a"], ["a", "b"], ["a", "b", "c"], ["ab"], ["x y", "ü"], ["a/b", "c"]];
const keys = ["1", "2", "k/3", "k 4"];
const filters = [
  undefined,
  { even: true },
  { rank: { $gte: 3 } },
  { rank: { $gt: 1, $lte: 4 } },
  { even: { $ne: true } },
  { rank: { $in: [1, 2] } },
];

type Kind = "put" | "delete" | "get" | "search" | "list";

function operation(kinds: readonly Kind[]): Operation {
  const namespace = [...pick(namespaces)];
  switch (pick(kinds)) {
    case "put": {
      const rank = pick([0, 1, 2, 3, 4, 5]);
      return { namespace, key: pick(keys), value: { rank, even: rank % 2 === 0, nested: { list: [rank, null] } } };
    }
    case "delete":
      return { namespace, key: pick(keys), value: null };
    case "get":
      return { namespace, key: pick(keys) };
    case "search": {
      const filter = pick(filters);
      const namespacePrefix = pick([[], ["a"], ["a", "b"], namespace]);
      return { namespacePrefix, limit: 100, ...(filter === undefined ? {} : { filter }) };
    }
    case "list": {
      const path = pick([["a"], ["*", "b"], ["c"]]);
      const matchConditions = pick([undefined, [{ matchType: pick(["prefix", "suffix"] as const), path }]]);
      const maxDepth = pick([undefined, 1, 2]);
      return {
        matchConditions: matchConditions ?? [],
        limit: 100,
        offset: 0,
        ...(maxDepth === undefined ? {} : { maxDepth }),
      };
    }
  }
}

/** Without times; in an order of their own, since the protocol gives none. */
function plain(result: unknown): unknown {
  if (!Array.isArray(result)) return bare(result);
  return result.map(bare).sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));
}

function bare(item: unknown): unknown {
  if (Array.isArray(item) || typeof item !== "object" || item === null) return item ?? null;
  const { createdAt, updatedAt, score, ...rest } = item as Record<string, unknown>;
  assert.ok(createdAt instanceof Date && updatedAt instanceof Date);
  return Object.fromEntries(Object.entries(rest).sort(([a], [b]) => a.localeCompare(b)));
}

/** Lists only in the first half, before deletions: theirs goes on listing a namespace whose last item is gone. */
const ROUNDS = 2_000;
const [peer, own] = [new InMemoryStore(), ours()];
let compared = 0;
for (let round = 0; round < ROUNDS; round++) {
  /** Reads and writes apart, since theirs hands out the object that a later put of the batch changes. */
  const reads: readonly Kind[] = round < ROUNDS / 2 ? ["get", "search", "list"] : ["get", "search"];
  const writes: readonly Kind[] = round < ROUNDS / 2 ? ["put"] : ["put", "delete"];
  const kinds = pick([reads, writes]);
  const operations = Array.from({ length: pick([1, 1, 3]) }, () => operation(kinds));
  const [theirs, mine] = [await peer.batch(operations), await own.batch(operations)];
  operations.forEach((each, index) => {
    if ("value" in each) return;
    compared += 1;
    assert.deepEqual(plain(mine[index]), plain(theirs[index]), JSON.stringify(each));
  });
}
console.log(`${compared} answers equal to those of InMemoryStore`);

const batched = new AsyncBatchedStore(ours());
batched.start();
await Promise.all([
  batched.put(["docs"], "1", { text: "the heron waits" }),
  batched.put(["docs"], "2", { text: "cars" }),
]);
assert.deepEqual(
  (await batched.search(["docs"], { query: "herons" })).map(({ key }) => key),
  ["1"],
);
await batched.stop();
console.log("works behind AsyncBatchedStore, as a compiled graph holds it");

const tsc = fileURLToPath(new URL("../../node_modules/.bin/tsc", import.meta.url));
const types = spawnSync(tsc, ["-p", fileURLToPath(new URL(".", import.meta.url))], { encoding: "utf8" });
assert.equal(types.status, 0, types.stdout);
console.log("fits BaseStore in the peer's own types");
