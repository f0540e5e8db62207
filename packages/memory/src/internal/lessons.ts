import type { Metadata } from "../dialect.ts";
import type { MemoryRecord } from "../record.ts";
import type { Revision } from "../reflector.ts";
import { termsOf } from "./tokens.ts";

/** From this share of common terms on, two requests count as the same. */
const ALIKE = 0.5;

type Lesson = Extract<Revision, { readonly action: "learn" }>;

/** What was asked, done and how it ended, with the records or the events that tell it. */
export interface Episode {
  readonly from: readonly string[];
  readonly evidence: readonly string[];
  readonly namespace: string;
  readonly metadata: Metadata;
}

/** Drafts a lesson from each group of alike episodes whose endings are known: what worked, and what did not. */
export function lessons(records: readonly MemoryRecord[], episodes: readonly Episode[]): Lesson[] {
  const groups: { readonly terms: ReadonlySet<string>; readonly episodes: Episode[] }[] = [];
  for (const episode of episodes) {
    const { asked, outcome } = episode.metadata;
    if (typeof asked !== "string" || outcome === "unclear") continue;
    const terms = new Set(termsOf(asked));
    const group = groups.find(
      (each) => each.episodes[0]?.namespace === episode.namespace && alike(each.terms, terms) >= ALIKE,
    );
    if (group === undefined) groups.push({ terms, episodes: [episode] });
    else group.episodes.push(episode);
  }
  return groups.flatMap((group) => {
    const [first] = group.episodes;
    if (first === undefined || group.episodes.length < 2) return [];
    const subject = `lesson.${[...group.terms].sort().join("-")}`.slice(0, 250);
    const { namespace } = first;
    const text = [
      `When asked: ${first.metadata.asked}`,
      ...said(group.episodes, "succeeded"),
      ...said(group.episodes, "failed"),
    ].join("\n");
    const old = records.filter(
      (record) => record.kind === "reflection" && record.subject === subject && record.namespace === namespace,
    );
    if (old.some((record) => record.text === text)) return [];
    const from = group.episodes.flatMap((episode) => episode.from);
    const evidence = group.episodes.flatMap((episode) => episode.evidence).slice(0, 1_000);
    const reason = `${group.episodes.length} episodes were about the same.`;
    return [{ action: "learn", from, evidence, close: old.map(({ id }) => id), namespace, subject, text, reason }];
  });
}

function said(episodes: readonly Episode[], outcome: string): string[] {
  const did = episodes
    .filter(({ metadata }) => metadata.outcome === outcome)
    .map(({ metadata }) => String(metadata.did));
  return did.length === 0 ? [] : [`${outcome === "failed" ? "Failed" : "Worked"} (${did.length}): ${did.at(-1)}`];
}

function alike(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  const common = [...a].filter((term) => b.has(term)).length;
  return common / Math.max(1, a.size + b.size - common);
}
