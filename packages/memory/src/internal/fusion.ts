import { BestFirst, type Ranked } from "./best-first.ts";

/** Reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009) with its published constant. */
const CONSTANT = 60;

/** One ranking of the heads of several. */
export function fuse(...heads: readonly (readonly Ranked[])[]): BestFirst {
  const scores = new Map<number, number>();
  for (const head of heads) {
    head.forEach(({ text }, index) => {
      scores.set(text, (scores.get(text) ?? 0) + 1 / (CONSTANT + index + 1));
    });
  }
  return new BestFirst([...scores.keys()], [...scores.values()]);
}
