import { type Transport, UndiciTransport } from "@ashlar/gateway";

/** The guarded way out. Targets that a definition names may lie on private addresses; nothing else may. */
export class ReloadedTransport implements Transport {
  #allow: readonly string[] = [];
  #current = new UndiciTransport();

  allow(hosts: readonly string[]): void {
    const sorted = [...new Set(hosts)].sort();
    if (sorted.join() === this.#allow.join()) return;
    const before = this.#current;
    this.#allow = sorted;
    this.#current = new UndiciTransport({ allow: sorted });
    this.#retired.push(before);
  }

  readonly #retired: UndiciTransport[] = [];

  send(...args: Parameters<Transport["send"]>): ReturnType<Transport["send"]> {
    return this.#current.send(...args);
  }

  async close(): Promise<void> {
    await Promise.all([this.#current, ...this.#retired].map((each) => each.close()));
  }
}
