import type { Evaluation } from "./evaluate.ts";

export interface VersionComparison {
  readonly evaluator: string;
  /** Cases that both versions have a score for. */
  readonly pairs: number;
  readonly before: number;
  readonly after: number;
  /** Mean of after minus before, case by case. */
  readonly difference: number;
  /** 95 % confidence interval of the difference; absent with fewer than two pairs. */
  readonly interval?: readonly [low: number, high: number];
  /** True only when the interval leaves zero out. */
  readonly significant: boolean;
  /** Cases that one version could not be judged on. */
  readonly unpaired: number;
}

const RESAMPLES = 2000;

/**
 * Compares two versions on the same cases. The interval is the percentile bootstrap over pairs (Efron & Tibshirani 1993,
 * chapter 13), with a fixed seed: the same evaluations give the same interval.
 */
export function compareVersions(
  before: readonly Evaluation[],
  after: readonly Evaluation[],
): readonly VersionComparison[] {
  const evaluators = [...new Set([...before, ...after].map(({ evaluator }) => evaluator))].sort();
  return evaluators.map((evaluator) => {
    const first = scores(before, evaluator);
    const second = scores(after, evaluator);
    const pairs = [...first].flatMap(([id, score]) => {
      const other = second.get(id);
      return other === undefined ? [] : [[score, other] as const];
    });
    const differences = pairs.map(([from, to]) => to - from);
    const interval = differences.length < 2 ? undefined : bootstrap(differences);
    return {
      evaluator,
      pairs: pairs.length,
      before: mean(pairs.map(([from]) => from)),
      after: mean(pairs.map(([, to]) => to)),
      difference: mean(differences),
      ...(interval === undefined ? {} : { interval }),
      significant: interval !== undefined && (interval[0] > 0 || interval[1] < 0),
      unpaired: new Set([...first.keys(), ...second.keys()]).size - pairs.length,
    };
  });
}

function scores(evaluations: readonly Evaluation[], evaluator: string): Map<string, number> {
  const found = evaluations.filter((each) => each.evaluator === evaluator && each.judgement !== undefined);
  return new Map(found.map(({ id, judgement }) => [id, judgement?.score ?? 0]));
}

const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;

function bootstrap(values: readonly number[]): readonly [number, number] {
  const random = seeded(values.length);
  const means = Array.from({ length: RESAMPLES }, () => {
    let sum = 0;
    for (let draw = 0; draw < values.length; draw++) sum += values[Math.floor(random() * values.length)] ?? 0;
    return sum / values.length;
  }).sort((a, b) => a - b);
  return [means[Math.floor(0.025 * RESAMPLES)] ?? 0, means[Math.ceil(0.975 * RESAMPLES) - 1] ?? 0];
}

/** Mulberry32. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
