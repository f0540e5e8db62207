/**
 * How a text's score is made. The defaults were found on conversations and questions about them; change one only with
 * a measurement on several corpora in hand, since what is best for one is worse for the next.
 */
export interface Ranking {
  /** Saturation of term frequency (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009). */
  readonly k1: number;
  /** How much a long passage is discounted, 0 to 1 (ibid.). */
  readonly b: number;
  /** Share of the score of the turn one before, and of the turn one after; at distance two half of it. */
  readonly before: number;
  readonly after: number;
  /** Share of the score that the whole session has. */
  readonly session: number;
  /** Factor for turns of the speaker, when the query names exactly one. */
  readonly speaker: number;
  /** Factor for turns that ask a question: they seldom hold the answer. */
  readonly question: number;
}

export const defaultRanking: Ranking = {
  k1: 1.2,
  b: 0.85,
  before: 0.3,
  after: 0.2,
  session: 0.5,
  speaker: 1.4,
  question: 0.85,
};

/** Why a hit ranked where it did: `score = (own + neighbours + session) × factors`. */
export interface Explanation {
  /** Best matching passage of the text itself, by term of the index. */
  readonly terms: Readonly<Record<string, number>>;
  readonly own: number;
  readonly neighbours: number;
  readonly session: number;
  readonly speaker: number;
  readonly question: number;
  /** Place among the nearest vectors, from 1, when an embedder took part. */
  readonly vectorRank?: number;
}
