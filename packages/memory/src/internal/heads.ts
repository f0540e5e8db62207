import type { Scope } from "../memory-store.ts";

const MOST = 10_000;

/** What an append reads before it writes. */
export interface KnownHead {
  readonly head: string | undefined;
  readonly definition: string | undefined;
}

/** The heads of the branches written last, as this process left them. */
export class Heads {
  readonly #known = new Map<string, KnownHead>();

  get(scope: Scope, at: string): KnownHead | undefined {
    return this.#known.get(nameOf(scope, at));
  }

  set(scope: Scope, at: string, known: KnownHead): void {
    const name = nameOf(scope, at);
    this.#known.delete(name);
    this.#known.set(name, known);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MOST && oldest !== undefined) this.#known.delete(oldest);
  }
}

const nameOf = ({ tenant, memory }: Scope, at: string): string => JSON.stringify([tenant, memory, at]);
