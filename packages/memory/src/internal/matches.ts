import type { PostingList } from "../memory-store.ts";
import type { Ranking } from "../ranking.ts";
import { groupOf, textOf } from "./document-number.ts";

export interface Statistics {
  readonly passages: number;
  readonly length: number;
  readonly sessions: number;
}

/** Robertson–Spärck Jones weight of a term, kept above 0. */
export const weightOf = (documents: number, holding: number): number =>
  Math.log(1 + (documents - holding + 0.5) / (holding + 0.5));

export const saturate = (
  frequency: number,
  length: number,
  average: number,
  { k1, b }: Pick<Ranking, "k1" | "b">,
): number => (frequency * (k1 + 1)) / (frequency + k1 * (1 - b + (b * length) / average));

/** Sessions that hold a term of the query. */
export interface GroupMatches {
  readonly group: number;
  /** Of each term of the query. */
  readonly frequencies: readonly number[];
}

/** What the posting lists say of the texts that hold a term, in rising order of text. */
export class Matches {
  readonly texts: number[] = [];
  /** Score of each text's best passage. */
  readonly owns: number[] = [];
  /** The passage that `owns` is of. */
  readonly passages: number[] = [];
  readonly groups: GroupMatches[] = [];
  readonly #lists: readonly PostingList[];
  readonly #weights: readonly number[];
  readonly #average: number;
  readonly #ranking: Ranking;

  /** The lists are walked side by side, so that a passage's sum runs over the terms in order of the query. */
  constructor(lists: readonly PostingList[], { passages, length }: Statistics, ranking: Ranking) {
    this.#lists = lists;
    this.#ranking = ranking;
    this.#average = length / Math.max(1, passages);
    this.#weights = lists.map((list) => weightOf(passages, list.length / 3));
    const places = lists.map(() => 0);
    let frequencies: number[] = [];
    let group = -1;
    for (;;) {
      let document = Number.POSITIVE_INFINITY;
      for (let term = 0; term < lists.length; term++) {
        const next = lists[term]?.[places[term] as number];
        if (next !== undefined && next < document) document = next;
      }
      if (document === Number.POSITIVE_INFINITY) break;
      const text = textOf(document);
      if (groupOf(text) !== group && ranking.session !== 0) {
        group = groupOf(text);
        frequencies = lists.map(() => 0);
        this.groups.push({ group, frequencies });
      }
      let own = 0;
      for (let term = 0; term < lists.length; term++) {
        const at = places[term] as number;
        if (lists[term]?.[at] !== document) continue;
        own += this.part(term, at);
        if (ranking.session !== 0)
          frequencies[term] = (frequencies[term] as number) + (lists[term]?.[at + 1] as number);
        places[term] = at + 3;
      }
      this.#found(text, document, own);
    }
  }

  /** What the posting at a place of a term's list adds to its passage. */
  part(term: number, at: number): number {
    const list = this.#lists[term] as PostingList;
    const saturated = saturate(list[at + 1] as number, list[at + 2] as number, this.#average, this.#ranking);
    return (this.#weights[term] as number) * saturated;
  }

  #found(text: number, passage: number, own: number): void {
    const last = this.texts.length - 1;
    if (this.texts[last] !== text) {
      this.texts.push(text);
      this.owns.push(own);
      this.passages.push(passage);
    } else if (own > (this.owns[last] as number)) {
      this.owns[last] = own;
      this.passages[last] = passage;
    }
  }
}
