/**
 * Evidence recall of turns on LoCoMo (Maharana et al., ACL 2024): one default configuration, no embedder. Beside it, on
 * made-up facts that were superseded once or twice: how often the present one is found, and an old one taken for it.
 */
import { existsSync, readFileSync } from "node:fs";
import { InMemoryMemoryStore, Memory } from "@ashlar/memory";
import { report, round } from "../support/measure.ts";

interface Turn {
  readonly speaker: string;
  readonly dia_id: string;
  readonly text: string;
  readonly blip_caption?: string;
}
interface Question {
  readonly question: string;
  readonly evidence?: readonly string[];
  readonly category: number;
}
interface Sample {
  readonly sample_id: string;
  readonly conversation: Readonly<Record<string, string | readonly Turn[]>>;
  readonly qa: readonly Question[];
}

const path = process.env.LOCOMO_PATH;
if (path === undefined || !existsSync(path)) {
  console.error("memory-recall reads LoCoMo (locomo10.json, CC BY-NC 4.0, not shipped) from the path in LOCOMO_PATH.");
  process.exit(2);
}

const context = { principal: { tenant: "bench" } };
const memory = new Memory({ store: new InMemoryMemoryStore() });
const totals = new Map<string, { count: number; at5: number; at10: number; at20: number; reciprocal: number }>();

for (const { sample_id, conversation, qa } of JSON.parse(readFileSync(path, "utf8")) as Sample[]) {
  const turns = new Map<string, string>();
  for (let session = 1; Array.isArray(conversation[`session_${session}`]); session++) {
    const at = instant(String(conversation[`session_${session}_date_time`]));
    for (const turn of conversation[`session_${session}`] as readonly Turn[]) {
      const text = [turn.text, turn.blip_caption].filter((each) => each !== undefined).join(" ");
      const where = { actor: sample_id, session: String(session), speaker: turn.speaker, at };
      const { id } = await memory.events.append(context, sample_id, { ...where, role: "user", text });
      turns.set(id, turn.dia_id);
    }
  }
  const known = new Set(turns.values());
  for (const { question, evidence = [], category } of qa) {
    const wanted = repaired(evidence).filter((each) => known.has(each));
    if (wanted.length === 0) continue;
    const hits = await memory.search(context, sample_id, { text: question, topK: 50, sources: ["events"] });
    const found = hits.map(({ id }) => turns.get(id) ?? "");
    const first = found.findIndex((each) => wanted.includes(each));
    const recall = (depth: number) =>
      wanted.filter((each) => found.slice(0, depth).includes(each)).length / wanted.length;
    for (const name of category === 5 ? ["5"] : [String(category), "1–4"]) {
      const total = totals.get(name) ?? { count: 0, at5: 0, at10: 0, at20: 0, reciprocal: 0 };
      total.count += 1;
      total.at5 += recall(5);
      total.at10 += recall(10);
      total.at20 += recall(20);
      total.reciprocal += first < 0 ? 0 : 1 / (first + 1);
      totals.set(name, total);
    }
  }
}

const updates = await updatedFacts();

async function updatedFacts(): Promise<{ updatedInTop10: number; supersededReturned: number }> {
  const cities = ["Oslo", "Rome", "Bern", "Lima", "Kyoto", "Accra", "Quito", "Turin"];
  const people = Array.from({ length: 300 }, (_, index) => `Person${index.toString(36)}`);
  const asked = ["Where does NAME live now?", "What city is NAME's home?", "NAME lives where?"];
  const current = new Map<string, string>();
  const ended = new Set<string>();
  for (const [index, name] of people.entries()) {
    const city = (step: number) => cities[(index * 5 + step * 3) % cities.length];
    const fact = (step: number) => ({
      text: `${name} lives in ${city(step)}, the city that is home.`,
      subject: "home",
    });
    let { id } = await memory.records.create(context, "updates", fact(0));
    await memory.records.create(context, "updates", { text: `${name} likes the city of ${city(7)} and went there.` });
    for (let step = 1; step <= 1 + (index % 2); step++) {
      ended.add(id);
      ({ id } = await memory.records.supersede(context, "updates", id, fact(step)));
    }
    current.set(name, id);
  }
  let found = 0;
  let supersededReturned = 0;
  for (const [index, name] of people.entries()) {
    const text = (asked[index % asked.length] ?? "").replace("NAME", name);
    const ids = (await memory.search(context, "updates", { text, topK: 10 })).map(({ id }) => id);
    if (ids.includes(current.get(name) ?? "")) found += 1;
    supersededReturned += ids.filter((id) => ended.has(id)).length;
  }
  return { updatedInTop10: round(found / people.length), supersededReturned };
}

/** `D1:3; D2:4`, `D:1:3` and `D1: 3` are all found in the data. */
function repaired(evidence: readonly string[]): string[] {
  const found = evidence.flatMap((each) => [...each.matchAll(/D?:?\s*(\d+)\s*:\s*(\d+)/g)]);
  return [...new Set(found.map(([, session, turn]) => `D${Number(session)}:${Number(turn)}`))];
}

function instant(text: string): number {
  const [, time = "", half = "", day = ""] = /^([\d:]+) (am|pm) on (.+)$/.exec(text) ?? [];
  return Date.parse(`${day} ${time} ${half} UTC`);
}

const rows = [...totals]
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([category, { count, at5, at10, at20, reciprocal }]) => ({
    category,
    questions: count,
    recallAt5: round(at5 / count),
    recallAt10: round(at10 / count),
    recallAt20: round(at20 / count),
    mrr: round(reciprocal / count),
  }));
const overall = rows.find(({ category }) => category === "1–4");
report("memory-recall", rows, {
  recallAt5: overall?.recallAt5,
  recallAt10: overall?.recallAt10,
  recallAt20: overall?.recallAt20,
  mrr: overall?.mrr,
  ...updates,
  byCategory: Object.fromEntries(rows.map(({ category, recallAt10, mrr }) => [category, { recallAt10, mrr }])),
});
