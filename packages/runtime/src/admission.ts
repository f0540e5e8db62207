import type { ConcurrencyLimit, Lane, LaneState, RateLimit } from "./work-queue.ts";

export interface AdmissionPolicy {
  /** Sessions of one key that may run at once, over all workers: `{ tenant: 10 }` for each tenant alike. */
  readonly concurrency?: (lane: Lane) => readonly ConcurrencyLimit[];
  readonly rates?: (lane: Lane) => readonly RateLimit[];
}

/**
 * Which lane is served next: the labels must be there, higher priorities come first, then the tenant that was served
 * least recently (fair share), then who has waited longest. The same over every queue.
 */
export class Admission {
  readonly #labels: ReadonlySet<string>;
  readonly #policy: AdmissionPolicy;
  readonly #served = new Map<string, number>();
  #turn = 0;

  constructor({
    labels = [],
    policy = {},
  }: { readonly labels?: readonly string[]; readonly policy?: AdmissionPolicy }) {
    this.#labels = new Set(labels);
    this.#policy = policy;
  }

  order(lanes: readonly LaneState[], now: number): readonly Lane[] {
    const servedAt = ({ lane }: LaneState) => this.#served.get(lane.tenant) ?? 0;
    return lanes
      .filter(({ lane, nextAt }) => nextAt <= now && lane.requires.every((label) => this.#labels.has(label)))
      .sort((a, b) => b.lane.priority - a.lane.priority || servedAt(a) - servedAt(b) || a.nextAt - b.nextAt)
      .map(({ lane }) => lane);
  }

  limits(lane: Lane): { readonly concurrency: readonly ConcurrencyLimit[]; readonly rates: readonly RateLimit[] } {
    return { concurrency: this.#policy.concurrency?.(lane) ?? [], rates: this.#policy.rates?.(lane) ?? [] };
  }

  served(lane: Lane): void {
    this.#turn += 1;
    this.#served.set(lane.tenant, this.#turn);
  }
}
