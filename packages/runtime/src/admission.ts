import type { ConcurrencyLimit, Lane, LaneDepth, LaneState, RateLimit } from "./work-queue.ts";

export interface AdmissionPolicy {
  /** Sessions of one key that may run at once, over all workers: `{ tenant: 10 }` for each tenant alike. */
  readonly concurrency?: (lane: Lane) => readonly ConcurrencyLimit[];
  readonly rates?: (lane: Lane) => readonly RateLimit[];
  /** A tenant's share against the others' of one priority. Default 1. */
  readonly weight?: (tenant: string) => number;
}

/** A lane in which sessions wait for labels that none of the workers has. */
export interface StarvedLane extends LaneDepth {
  readonly missing: readonly string[];
}

/**
 * Which lane is served next: the labels must be there, higher priorities come first, then the tenant that is
 * furthest behind its share (stride scheduling), then who has waited longest. The same over every queue.
 */
export class Admission {
  readonly #labels: ReadonlySet<string>;
  readonly #policy: AdmissionPolicy;
  /** How far each tenant has come; who is furthest behind is next. */
  readonly #passes = new Map<string, number>();

  constructor({
    labels = [],
    policy = {},
  }: { readonly labels?: readonly string[]; readonly policy?: AdmissionPolicy }) {
    this.#labels = new Set(labels);
    this.#policy = policy;
  }

  order(lanes: readonly LaneState[], now: number): readonly Lane[] {
    const ready = lanes.filter(({ lane, nextAt }) => nextAt <= now && missing(lane, this.#labels).length === 0);
    this.#enter(new Set(ready.map(({ lane }) => lane.tenant)));
    const pass = ({ lane }: LaneState) => this.#passes.get(lane.tenant) ?? 0;
    return ready
      .sort((a, b) => b.lane.priority - a.lane.priority || pass(a) - pass(b) || a.nextAt - b.nextAt)
      .map(({ lane }) => lane);
  }

  limits(lane: Lane): { readonly concurrency: readonly ConcurrencyLimit[]; readonly rates: readonly RateLimit[] } {
    return { concurrency: this.#policy.concurrency?.(lane) ?? [], rates: this.#policy.rates?.(lane) ?? [] };
  }

  served(lane: Lane): void {
    const weight = Math.max(this.#policy.weight?.(lane.tenant) ?? 1, 1e-6);
    this.#passes.set(lane.tenant, (this.#passes.get(lane.tenant) ?? 0) + 1 / weight);
  }

  /** A tenant that was away starts level with the others: nobody saves up a burst. */
  #enter(waiting: ReadonlySet<string>): void {
    const known = [...this.#passes].flatMap(([tenant, pass]) => (waiting.has(tenant) ? [pass] : []));
    const level = known.length === 0 ? 0 : Math.min(...known);
    for (const tenant of this.#passes.keys()) if (!waiting.has(tenant)) this.#passes.delete(tenant);
    for (const tenant of waiting) if (!this.#passes.has(tenant)) this.#passes.set(tenant, level);
  }
}

/** What waits and can be taken by a worker of none of these label sets: never silent. */
export function starvedLanes(
  lanes: readonly LaneDepth[],
  workers: readonly (readonly string[])[],
): readonly StarvedLane[] {
  return lanes.flatMap((depth) => {
    const gaps = workers.map((labels) => missing(depth.lane, new Set(labels)));
    if (depth.waiting === 0 || gaps.some((gap) => gap.length === 0)) return [];
    return [{ ...depth, missing: gaps.sort((a, b) => a.length - b.length)[0] ?? depth.lane.requires }];
  });
}

const missing = ({ requires }: Lane, labels: ReadonlySet<string>): readonly string[] =>
  requires.filter((label) => !labels.has(label));
