import type { MemoryRecord } from "../record.ts";
import type { Revision } from "../reflection.ts";
import { termsOf } from "./tokens.ts";

/** From this share of common terms on, two requests count as the same. */
const ALIKE = 0.5;

type Lesson = Extract<Revision, { readonly action: "learn" }>;

/** Drafts a lesson from each group of alike episodes whose endings are known: what worked, and what did not. */
export function lessons(records: readonly MemoryRecord[]): Lesson[] {
  const groups: { readonly terms: ReadonlySet<string>; readonly episodes: MemoryRecord[] }[] = [];
  for (const record of records) {
    const { asked, outcome } = record.metadata;
    if (record.kind !== "episode" || typeof asked !== "string" || outcome === "unclear") continue;
    const terms = new Set(termsOf(asked));
    const group = groups.find(
      (each) => each.episodes[0]?.namespace === record.namespace && alike(each.terms, terms) >= ALIKE,
    );
    if (group === undefined) groups.push({ terms, episodes: [record] });
    else group.episodes.push(record);
  }
  return groups.flatMap(({ terms, episodes }) => {
    const [first] = episodes;
    if (first === undefined || episodes.length < 2) return [];
    const subject = `lesson.${[...terms].sort().join("-")}`.slice(0, 250);
    const { namespace } = first;
    const text = [
      `When asked: ${first.metadata.asked}`,
      ...said(episodes, "succeeded"),
      ...said(episodes, "failed"),
    ].join("\n");
    const old = records.filter((record) => record.kind === "reflection" && record.subject === subject);
    if (old.some((record) => record.text === text)) return [];
    const from = episodes.map(({ id }) => id);
    const reason = `${episodes.length} episodes were about the same.`;
    return [{ action: "learn", from, close: old.map(({ id }) => id), namespace, subject, text, reason }];
  });
}

function said(episodes: readonly MemoryRecord[], outcome: string): string[] {
  const did = episodes
    .filter(({ metadata }) => metadata.outcome === outcome)
    .map(({ metadata }) => String(metadata.did));
  return did.length === 0 ? [] : [`${outcome === "failed" ? "Failed" : "Worked"} (${did.length}): ${did.at(-1)}`];
}

function alike(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  const common = [...a].filter((term) => b.has(term)).length;
  return common / Math.max(1, a.size + b.size - common);
}
