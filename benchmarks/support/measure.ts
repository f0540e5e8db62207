/** Timing for benchmarks: repeat, take the median, say the spread, compare within one run. */
export interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

export function spread(samples: readonly number[]): Spread {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), min: at(0), max: at(1), count: sorted.length };
}

/** Milliseconds of each of `runs` calls, after `warmup` calls that do not count. */
export async function timeEach(
  runs: number,
  body: (run: number) => unknown,
  { warmup = Math.min(10, runs) }: { readonly warmup?: number } = {},
): Promise<readonly number[]> {
  for (let run = 0; run < warmup; run++) await body(run);
  const samples: number[] = [];
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    await body(warmup + run);
    samples.push(performance.now() - start);
  }
  return samples;
}

/** Runs the contenders in turn, `rounds` times over, so that noise falls on all alike; gives each one's samples. */
export async function interleaved<Name extends string>(
  rounds: number,
  contenders: Readonly<Record<Name, () => Promise<number>>>,
): Promise<Record<Name, Spread>> {
  const names = Object.keys(contenders) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      samples[name].push(await contenders[name]());
      process.stderr.write(`\r  round ${round + 1} of ${rounds}: ${name}          `);
    }
  }
  process.stderr.write("\n");
  return Object.fromEntries(names.map((name) => [name, spread(samples[name])])) as Record<Name, Spread>;
}

export const round = (value: number, digits = 3): number => Number(value.toPrecision(digits));

/** A table for people, then the one line of JSON that holds the figures. */
export function report(name: string, rows: readonly Readonly<Record<string, unknown>>[], figures: object): void {
  if (rows.length > 0) console.table(rows);
  console.log(JSON.stringify({ benchmark: name, ...figures }));
}
