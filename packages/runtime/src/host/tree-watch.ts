import type { Clock } from "../dialect.ts";
import type { HostedLimits } from "../session-host.ts";
import { type TreeUsage, treeUsage } from "./process-tree.ts";

/** How often trees are looked at: what one can take between two looks is not prevented. */
const LOOK_MS = 200;

/** Looks at trees of processes while there are any, and tells of each that has gone over its limits. */
export class TreeWatch {
  readonly #clock: Clock;
  readonly #trees = new Map<string, { readonly limits: HostedLimits; readonly over: (reason: string) => void }>();
  #stop = new AbortController();

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock;
  }

  /** `over` may be told more than once, until the tree is removed. */
  add(marker: string, limits: HostedLimits, over: (reason: string) => void): void {
    this.#trees.set(marker, { limits, over });
    if (this.#trees.size > 1) return;
    this.#stop = new AbortController();
    this.#look(this.#stop.signal).catch(() => {});
  }

  remove(marker: string): void {
    this.#trees.delete(marker);
    if (this.#trees.size === 0) this.#stop.abort();
  }

  async #look(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#clock.sleep(LOOK_MS, { signal });
      for (const [marker, usage] of treeUsage(new Set(this.#trees.keys()))) {
        const tree = this.#trees.get(marker);
        const reason = tree === undefined ? undefined : excess(usage, tree.limits);
        if (reason !== undefined) tree?.over(reason);
      }
    }
  }
}

function excess(
  { processes, memoryBytes, cpuSeconds }: TreeUsage,
  { memoryMiB = Infinity, cpuSeconds: mostSeconds = Infinity, processes: most = Infinity }: HostedLimits,
): string | undefined {
  if (processes > most) return `had more than ${most} processes`;
  if (memoryBytes > memoryMiB * 2 ** 20) return `took more than ${memoryMiB} MiB of memory`;
  if (cpuSeconds > mostSeconds) return `took more than ${mostSeconds} s of processor time`;
  return undefined;
}
