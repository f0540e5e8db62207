/**
 * The same job for each contender, in the same run: 10,000 records in 10 scopes, then searches by text with the same
 * trivial embedder. Each keeps its data as it does when nothing is said: on files of its own, LangGraph's in memory. None
 * reports home.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { report, round, spread } from "../support/measure.ts";
import { randomText } from "../support/random-text.ts";
import { ashlar } from "./ashlar.ts";
import type { Contender } from "./contender.ts";
import { langgraph } from "./langgraph.ts";
import { mastra } from "./mastra.ts";
import { mem0 } from "./mem0.ts";

const SCOPES = 10;
const RECORDS = Number(process.argv[2] ?? 10_000);
/** Searches of one turn; the contenders take turns, so that noise falls on all alike. */
const QUERIES = 10;
const ROUNDS = 10;
const folder = mkdtempSync(join(tmpdir(), "ashlar-peers-"));
process.on("exit", () => rmSync(folder, { recursive: true }));

const contenders: Record<string, Contender> = {
  ashlar: ashlar(SCOPES, join(folder, "ashlar.db")),
  mem0: await mem0(folder),
  langgraph: langgraph(),
  mastra: await mastra(SCOPES, join(folder, "mastra.db")),
};

const adding: Record<string, number> = {};
for (const [name, contender] of Object.entries(contenders)) {
  const text = randomText(3);
  const start = performance.now();
  let making = 0;
  for (let written = 0; written < RECORDS; written += 100) {
    const made = performance.now();
    const texts = Array.from({ length: 100 }, () => text(20));
    making += performance.now() - made;
    await contender.add((written / 100) % SCOPES, texts);
  }
  await contender.ready();
  adding[name] = performance.now() - start - making;
  process.stderr.write(`  ${name}: ${RECORDS} records in ${Math.round(adding[name] / 1e3)} s\n`);
}

const text = randomText(5);
const ask = async (contender: Contender, scope: number, words: string): Promise<number> => {
  const start = performance.now();
  const found = await contender.search(scope, words);
  const took = performance.now() - start;
  assert.equal(found.length, 10, "ten texts were asked for");
  return took;
};
const cold: Record<string, number[]> = {};
for (const [name, contender] of Object.entries(contenders)) {
  const first: number[] = [];
  for (let scope = 0; scope < SCOPES; scope++) first.push(await ask(contender, scope, text(5)));
  cold[name] = first;
}
const warm: Record<string, number[]> = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
for (let turn = 0; turn < ROUNDS; turn++) {
  const queries = Array.from({ length: QUERIES }, () => text(5));
  for (const [name, contender] of Object.entries(contenders)) {
    for (const [index, words] of queries.entries())
      warm[name]?.push(await ask(contender, (turn + index) % SCOPES, words));
  }
  process.stderr.write(`\r  round ${turn + 1} of ${ROUNDS}`);
}
process.stderr.write("\n");

const rows = Object.keys(contenders).map((name) => {
  const { p50, p99 } = spread(warm[name] ?? []);
  return {
    contender: name,
    addPerSecond: round((RECORDS / (adding[name] ?? Number.NaN)) * 1e3),
    coldMs: round(spread(cold[name] ?? []).p50),
    warmP50Ms: round(p50),
    warmP99Ms: round(p99),
  };
});
const [own, ...peers] = rows;
if (own === undefined) throw new Error("There is no row of ours.");
const ratios = (of: (peer: (typeof rows)[number]) => number) =>
  Object.fromEntries(peers.map((peer) => [peer.contender, round(of(peer))]));
report("memory-peers", rows, {
  ratios: ratios((peer) => peer.warmP50Ms / own.warmP50Ms),
  coldRatios: ratios((peer) => peer.coldMs / own.coldMs),
  addRatios: ratios((peer) => own.addPerSecond / peer.addPerSecond),
});
