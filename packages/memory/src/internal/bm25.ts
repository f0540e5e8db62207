import type { PostingList } from "../memory-store.ts";
import type { Explanation, Ranking } from "../ranking.ts";
import { asksQuestion, groupOf, MOST_POSITIONS, positionOf, textOf } from "./document-number.ts";

export interface Statistics {
  readonly passages: number;
  readonly length: number;
  readonly sessions: number;
}

interface Text {
  own: number;
  /** The passage that `own` is of, by index of query term. */
  terms: ReadonlyMap<number, number>;
  readonly question: boolean;
}

export interface Ranked {
  readonly text: number;
  readonly score: number;
  explain(terms: readonly string[]): Explanation;
}

/** Robertson–Spärck Jones weight of a term, kept above 0. */
const weightOf = (documents: number, holding: number): number =>
  Math.log(1 + (documents - holding + 0.5) / (holding + 0.5));

const saturate = (frequency: number, length: number, average: number, { k1, b }: Ranking): number =>
  (frequency * (k1 + 1)) / (frequency + k1 * (1 - b + (b * length) / average));

/**
 * The same arithmetic in the same order for every backend, so that equal postings give bit-equal scores: sums run over
 * terms in order of the query, and over neighbours in order of distance.
 */
export class Scores {
  readonly #ranking: Ranking;
  readonly #statistics: Statistics;
  readonly #texts = new Map<number, Text>();
  /** Group → frequency of each query term in it. */
  readonly #groups = new Map<number, Map<number, number>>();

  constructor(lists: readonly PostingList[], statistics: Statistics, ranking: Ranking) {
    this.#ranking = ranking;
    this.#statistics = statistics;
    const passages = new Map<number, { score: number; terms: Map<number, number> }>();
    const average = statistics.length / Math.max(1, statistics.passages);
    lists.forEach((list, term) => {
      const weight = weightOf(statistics.passages, list.length / 3);
      for (let at = 0; at < list.length; at += 3) {
        const [document, frequency, length] = [list[at] as number, list[at + 1] as number, list[at + 2] as number];
        const part = weight * saturate(frequency, length, average, ranking);
        const passage = passages.get(document) ?? { score: 0, terms: new Map() };
        passage.score += part;
        passage.terms.set(term, part);
        passages.set(document, passage);
        const group = groupOf(textOf(document));
        const frequencies = this.#groups.get(group) ?? new Map<number, number>();
        frequencies.set(term, (frequencies.get(term) ?? 0) + frequency);
        this.#groups.set(group, frequencies);
      }
    });
    for (const [document, { score, terms }] of passages) {
      const text = this.#texts.get(textOf(document));
      if (text === undefined) {
        this.#texts.set(textOf(document), { own: score, terms, question: asksQuestion(document) });
      } else if (score > text.own) {
        text.own = score;
        text.terms = terms;
      }
    }
  }

  /** Sessions that hold a term of the query, in rising order. */
  get groups(): readonly number[] {
    return [...this.#groups.keys()].sort((a, b) => a - b);
  }

  /** Best first; of equal scores the later text. `lengths` are those of `groups`, in terms. */
  rank(lengths: readonly number[], spoken: ReadonlySet<number> | undefined): Ranked[] {
    const sessions = this.#sessions(lengths);
    const { speaker, question } = this.#ranking;
    const ranked: Ranked[] = [];
    for (const text of this.#candidates()) {
      const found = this.#texts.get(text);
      const own = found?.own ?? 0;
      const neighbours = this.#neighbours(text);
      const session = sessions.get(groupOf(text)) ?? 0;
      const factors = { speaker: spoken?.has(text) ? speaker : 1, question: found?.question ? question : 1 };
      const score = (own + neighbours + session) * factors.speaker * factors.question;
      const explain = (terms: readonly string[]): Explanation => ({
        terms: Object.fromEntries([...(found?.terms ?? [])].map(([term, part]) => [terms[term] as string, part])),
        own,
        neighbours,
        session,
        ...factors,
      });
      ranked.push({ text, score, explain });
    }
    return ranked.sort((a, b) => b.score - a.score || b.text - a.text);
  }

  #candidates(): ReadonlySet<number> {
    const candidates = new Set(this.#texts.keys());
    const { before, after } = this.#ranking;
    if (before === 0 && after === 0) return candidates;
    for (const text of this.#texts.keys()) {
      const position = positionOf(text);
      for (let distance = -2; distance <= 2; distance++) {
        if (position + distance >= 0 && position + distance < MOST_POSITIONS) candidates.add(text + distance);
      }
    }
    return candidates;
  }

  #neighbours(text: number): number {
    const { before, after } = this.#ranking;
    const position = positionOf(text);
    const own = (distance: number): number =>
      position + distance < 0 || position + distance >= MOST_POSITIONS
        ? 0
        : (this.#texts.get(text + distance)?.own ?? 0);
    return before * own(-1) + after * own(1) + (before / 2) * own(-2) + (after / 2) * own(2);
  }

  #sessions(lengths: readonly number[]): ReadonlyMap<number, number> {
    const { session } = this.#ranking;
    if (session === 0) return new Map();
    const { groups } = this;
    const { sessions, length } = this.#statistics;
    const holding = new Map<number, number>();
    for (const frequencies of this.#groups.values()) {
      for (const term of frequencies.keys()) holding.set(term, (holding.get(term) ?? 0) + 1);
    }
    const average = length / Math.max(1, sessions);
    return new Map(
      groups.map((group, index) => {
        const frequencies = [...(this.#groups.get(group) ?? [])].sort(([a], [b]) => a - b);
        let score = 0;
        for (const [term, frequency] of frequencies) {
          const weight = weightOf(sessions, holding.get(term) ?? 0);
          score += weight * saturate(frequency, lengths[index] ?? average, average, this.#ranking);
        }
        return [group, session * score];
      }),
    );
  }
}
