export interface Ranked {
  readonly text: number;
  readonly score: number;
}

/**
 * Hands out texts best first, of equal scores the later one: a total order, so that every store gives the same. A heap,
 * since far fewer are asked for than there are.
 */
export class BestFirst {
  /** Each comes before its two children. */
  readonly #texts: Float64Array;
  readonly #scores: Float64Array;
  #left: number;

  constructor(texts: ArrayLike<number>, scores: ArrayLike<number>) {
    this.#texts = Float64Array.from(texts);
    this.#scores = Float64Array.from(scores);
    this.#left = texts.length;
    for (let at = (this.#left >> 1) - 1; at >= 0; at--) {
      sink(this.#texts, this.#scores, this.#left, at, this.#texts[at] as number, this.#scores[at] as number);
    }
  }

  /** How many were not handed out yet. */
  get left(): number {
    return this.#left;
  }

  take(count: number): Ranked[] {
    const [texts, scores] = [this.#texts, this.#scores];
    const taken: Ranked[] = [];
    while (taken.length < count && this.#left > 0) {
      taken.push({ text: texts[0] as number, score: scores[0] as number });
      const last = --this.#left;
      sink(texts, scores, last, 0, texts[last] as number, scores[last] as number);
    }
    return taken;
  }
}

/** Puts a text at a place of the heap, or below it where better ones must rise. */
function sink(
  texts: Float64Array,
  scores: Float64Array,
  left: number,
  from: number,
  text: number,
  score: number,
): void {
  let at = from;
  for (let child = 2 * at + 1; child < left; child = 2 * at + 1) {
    let best = scores[child] as number;
    if (child + 1 < left) {
      const other = scores[child + 1] as number;
      if (other > best || (other === best && (texts[child + 1] as number) > (texts[child] as number))) {
        child += 1;
        best = other;
      }
    }
    if (score > best || (score === best && text > (texts[child] as number))) break;
    texts[at] = texts[child] as number;
    scores[at] = best;
    at = child;
  }
  if (at < left) {
    texts[at] = text;
    scores[at] = score;
  }
}
