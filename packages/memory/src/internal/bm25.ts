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
  /** The passage that `own` is of. */
  passage: number;
}

export interface Ranked {
  readonly text: number;
  readonly score: number;
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
  readonly #lists: readonly PostingList[];
  readonly #texts = new Map<number, Text>();
  /** Group → frequency of each query term in it. */
  readonly #groups = new Map<number, number[]>();

  constructor(lists: readonly PostingList[], statistics: Statistics, ranking: Ranking) {
    this.#ranking = ranking;
    this.#statistics = statistics;
    this.#lists = lists;
    const passages = new Map<number, number>();
    lists.forEach((list, term) => {
      for (let at = 0; at < list.length; at += 3) {
        const document = list[at] as number;
        passages.set(document, (passages.get(document) ?? 0) + this.#part(list, at));
        if (ranking.session === 0) continue;
        const group = groupOf(textOf(document));
        let frequencies = this.#groups.get(group);
        if (frequencies === undefined) {
          frequencies = new Array<number>(lists.length).fill(0);
          this.#groups.set(group, frequencies);
        }
        frequencies[term] = (frequencies[term] ?? 0) + (list[at + 1] as number);
      }
    });
    for (const [passage, own] of passages) {
      const text = this.#texts.get(textOf(passage));
      if (text === undefined) this.#texts.set(textOf(passage), { own, passage });
      else if (own > text.own) Object.assign(text, { own, passage });
    }
  }

  /** Sessions that hold a term of the query, in rising order. */
  get groups(): readonly number[] {
    return [...this.#groups.keys()].sort((a, b) => a - b);
  }

  /** Best first; of equal scores the later text. `lengths` are those of `groups`, in terms. */
  rank(lengths: readonly number[], spoken: ReadonlySet<number> | undefined): Ranked[] {
    const sessions = this.#sessions(lengths);
    const ranked: Ranked[] = [];
    for (const text of this.#candidates()) {
      const { own, neighbours, session, speaker, question } = this.#parts(text, sessions, spoken);
      const score = (own + neighbours + session) * speaker * question;
      ranked.push({ text, score });
    }
    return ranked.sort((a, b) => b.score - a.score || b.text - a.text);
  }

  /** What the score of a ranked text is made of; the arguments are those of `rank`. */
  explain(
    text: number,
    terms: readonly string[],
    lengths: readonly number[],
    spoken: ReadonlySet<number> | undefined,
  ): Explanation {
    const parts = this.#parts(text, this.#sessions(lengths), spoken);
    const passage = this.#texts.get(text)?.passage;
    const byTerm: Record<string, number> = {};
    this.#lists.forEach((list, index) => {
      for (let at = 0; at < list.length; at += 3) {
        if (list[at] === passage) byTerm[terms[index] as string] = this.#part(list, at);
      }
    });
    return { terms: byTerm, ...parts };
  }

  #parts(
    text: number,
    sessions: ReadonlyMap<number, number>,
    spoken: ReadonlySet<number> | undefined,
  ): Omit<Explanation, "terms"> {
    const found = this.#texts.get(text);
    const { speaker, question } = this.#ranking;
    return {
      own: found?.own ?? 0,
      neighbours: this.#neighbours(text),
      session: sessions.get(groupOf(text)) ?? 0,
      speaker: spoken?.has(text) ? speaker : 1,
      question: found !== undefined && asksQuestion(found.passage) ? question : 1,
    };
  }

  /** What one posting adds to its passage. */
  #part(list: PostingList, at: number): number {
    const { passages, length } = this.#statistics;
    const average = length / Math.max(1, passages);
    const weight = weightOf(passages, list.length / 3);
    return weight * saturate(list[at + 1] as number, list[at + 2] as number, average, this.#ranking);
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
    const holding = this.#lists.map((_, term) => {
      let count = 0;
      for (const frequencies of this.#groups.values()) if (frequencies[term] !== 0) count += 1;
      return count;
    });
    const average = length / Math.max(1, sessions);
    return new Map(
      groups.map((group, index) => {
        let score = 0;
        this.#groups.get(group)?.forEach((frequency, term) => {
          if (frequency === 0) return;
          const weight = weightOf(sessions, holding[term] ?? 0);
          score += weight * saturate(frequency, lengths[index] ?? average, average, this.#ranking);
        });
        return [group, session * score];
      }),
    );
  }
}
