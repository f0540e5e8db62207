import type { Extraction, ExtractionWindow, Extractor } from "./extractor.ts";
import { sentencesOf } from "./internal/sentences.ts";
import { termsOf } from "./internal/tokens.ts";

/**
 * Keeps one running summary a session, in the session's own sentences: those whose words come up most. A later window
 * weighs them again beside what was said since, and the new summary supersedes the old. Give its strategy a namespace
 * with `{sessionId}`.
 */
export class SummaryExtractor implements Extractor {
  readonly #sentences: number;

  constructor({ sentences = 5 }: { readonly sentences?: number } = {}) {
    this.#sentences = sentences;
  }

  async extract({ events, records, session }: ExtractionWindow): Promise<readonly Extraction[]> {
    const subject = `session.${session}`;
    const before = records.find((record) => record.subject === subject);
    const said = events.flatMap((event) =>
      event.items.flatMap((item) =>
        item.type === "conversational" && item.role !== "tool" && item.role !== "system"
          ? sentencesOf(item.text).map((text) => ({
              text: `${item.speaker ?? (item.role === "user" ? event.actor : item.role)}: ${text}`,
              from: [event.id],
            }))
          : [],
      ),
    );
    const known = before?.text.split("\n").map((text) => ({ text, from: before.evidence })) ?? [];
    const chosen = central([...known, ...said], this.#sentences);
    if (chosen.length === 0) return [];
    return [
      {
        text: chosen.map(({ text }) => text).join("\n"),
        kind: "summary",
        subject,
        evidence: [...new Set(chosen.flatMap(({ from }) => from))].slice(-1_000),
      },
    ];
  }
}

/** The sentences whose terms are the most frequent of all, in the order of being said. */
function central<T extends { readonly text: string }>(sentences: readonly T[], most: number): T[] {
  const terms = sentences.map(({ text }) => new Set(termsOf(text)));
  const counts = new Map<string, number>();
  for (const each of terms) for (const term of each) counts.set(term, (counts.get(term) ?? 0) + 1);
  const ranked = sentences.map((sentence, index) => {
    const own = [...(terms[index] ?? [])];
    const weight = own.reduce((sum, term) => sum + (counts.get(term) ?? 0), 0) / Math.sqrt(own.length + 4);
    return { sentence, index, weight: own.length < 3 ? 0 : weight };
  });
  return ranked
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight || a.index - b.index)
    .slice(0, most)
    .sort((a, b) => a.index - b.index)
    .map(({ sentence }) => sentence);
}
