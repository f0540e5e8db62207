import type { PostingList } from "../memory-store.ts";
import type { Explanation, Ranking } from "../ranking.ts";
import { BestFirst } from "./best-first.ts";
import { asksQuestion, groupOf, MOST_POSITIONS, positionOf } from "./document-number.ts";
import { Matches, type Statistics, saturate, weightOf } from "./matches.ts";

/**
 * The same arithmetic in the same order for every backend, so that equal postings give bit-equal scores: sums run over
 * terms in order of the query, and over neighbours in order of distance.
 */
export class Scores {
  readonly #ranking: Ranking;
  readonly #statistics: Statistics;
  readonly #lists: readonly PostingList[];
  readonly #matches: Matches;
  /** Text → its place among the matches; made only where neighbours count. */
  readonly #places = new Map<number, number>();

  constructor(lists: readonly PostingList[], statistics: Statistics, ranking: Ranking) {
    this.#ranking = ranking;
    this.#statistics = statistics;
    this.#lists = lists;
    this.#matches = new Matches(lists, statistics, ranking);
  }

  /** Sessions that hold a term of the query, in rising order. */
  get groups(): readonly number[] {
    return this.#matches.groups.map(({ group }) => group);
  }

  /** `lengths` are those of `groups`, in terms. */
  rank(lengths: readonly number[], spoken: ReadonlySet<number> | undefined): BestFirst {
    const { texts, owns, passages } = this.#matches;
    const { before, after, session, question } = this.#ranking;
    if (before === 0 && after === 0 && session === 0 && spoken === undefined) {
      return new BestFirst(
        texts,
        owns.map((own, place) => (asksQuestion(passages[place] as number) ? own * question : own)),
      );
    }
    const sessions = this.#sessions(lengths);
    const candidates = this.#candidates();
    return new BestFirst(
      candidates,
      candidates.map((text) => {
        const parts = this.#parts(text, sessions, spoken);
        return (parts.own + parts.neighbours + parts.session) * parts.speaker * parts.question;
      }),
    );
  }

  /** What the score of a ranked text is made of; the arguments are those of `rank`. */
  explain(
    text: number,
    terms: readonly string[],
    lengths: readonly number[],
    spoken: ReadonlySet<number> | undefined,
  ): Explanation {
    const parts = this.#parts(text, this.#sessions(lengths), spoken);
    const place = this.#place(text);
    const byTerm: Record<string, number> = {};
    this.#lists.forEach((list, index) => {
      for (let at = 0; at < list.length; at += 3) {
        if (place !== undefined && list[at] === this.#matches.passages[place]) {
          byTerm[terms[index] as string] = this.#matches.part(index, at);
        }
      }
    });
    return { terms: byTerm, ...parts };
  }

  #parts(
    text: number,
    sessions: ReadonlyMap<number, number>,
    spoken: ReadonlySet<number> | undefined,
  ): Omit<Explanation, "terms"> {
    const place = this.#place(text);
    const { speaker, question } = this.#ranking;
    return {
      own: this.#own(text),
      neighbours: this.#neighbours(text),
      session: sessions.get(groupOf(text)) ?? 0,
      speaker: spoken?.has(text) ? speaker : 1,
      question: place !== undefined && asksQuestion(this.#matches.passages[place] as number) ? question : 1,
    };
  }

  #place(text: number): number | undefined {
    const { texts } = this.#matches;
    if (this.#places.size === 0) for (const [place, each] of texts.entries()) this.#places.set(each, place);
    return this.#places.get(text);
  }

  #own(text: number): number {
    const place = this.#place(text);
    return place === undefined ? 0 : (this.#matches.owns[place] as number);
  }

  #candidates(): readonly number[] {
    const { texts } = this.#matches;
    const { before, after } = this.#ranking;
    if (before === 0 && after === 0) return texts;
    const candidates = new Set<number>();
    for (const text of texts) {
      const position = positionOf(text);
      for (let distance = -2; distance <= 2; distance++) {
        if (position + distance >= 0 && position + distance < MOST_POSITIONS) candidates.add(text + distance);
      }
    }
    return [...candidates];
  }

  #neighbours(text: number): number {
    const { before, after } = this.#ranking;
    if (before === 0 && after === 0) return 0;
    const position = positionOf(text);
    const own = (distance: number): number =>
      position + distance < 0 || position + distance >= MOST_POSITIONS ? 0 : this.#own(text + distance);
    return before * own(-1) + after * own(1) + (before / 2) * own(-2) + (after / 2) * own(2);
  }

  #sessions(lengths: readonly number[]): ReadonlyMap<number, number> {
    const { session } = this.#ranking;
    if (session === 0) return new Map();
    const { groups } = this.#matches;
    const { sessions, length } = this.#statistics;
    const weights = this.#lists.map((_, term) => {
      const holding = groups.filter(({ frequencies }) => frequencies[term] !== 0).length;
      return weightOf(sessions, holding);
    });
    const average = length / Math.max(1, sessions);
    return new Map(
      groups.map(({ group, frequencies }, index) => {
        let score = 0;
        frequencies.forEach((frequency, term) => {
          if (frequency === 0) return;
          score += (weights[term] as number) * saturate(frequency, lengths[index] ?? average, average, this.#ranking);
        });
        return [group, session * score];
      }),
    );
  }
}
