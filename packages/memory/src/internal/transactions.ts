import { MemoryError } from "../errors.ts";
import type { Batch, MemoryStore, Scope } from "../memory-store.ts";

const ATTEMPTS = 50;

/** What one attempt decided: a batch to commit (or nothing to write) and what the caller gets once it is. */
export interface Attempt<T> {
  readonly batch?: Batch;
  readonly result: T;
}

/**
 * Reads, decides and commits, again when another writer was faster. Writers of this process queue per scope, so that
 * only those of other processes can be.
 */
export class Transactions {
  readonly #store: MemoryStore;
  readonly #queues = new Map<string, Promise<unknown>>();

  constructor(store: MemoryStore) {
    this.#store = store;
  }

  run<T>(scope: Scope, attempt: () => Promise<Attempt<T>>): Promise<T> {
    const name = JSON.stringify([scope.tenant, scope.memory]);
    const before = this.#queues.get(name);
    const turn = before === undefined ? this.#repeat(scope, attempt) : before.then(() => this.#repeat(scope, attempt));
    const settled = turn.then(
      () => {},
      () => {},
    );
    this.#queues.set(name, settled);
    void settled.then(() => {
      if (this.#queues.get(name) === settled) this.#queues.delete(name);
    });
    return turn;
  }

  async #repeat<T>(scope: Scope, attempt: () => Promise<Attempt<T>>): Promise<T> {
    for (let count = 0; count < ATTEMPTS; count++) {
      const { batch, result } = await attempt();
      if (batch === undefined || (await this.#store.commit(scope, batch))) return result;
    }
    throw new MemoryError(
      "MEMORY_CONFLICT",
      `Other writers were faster ${ATTEMPTS} times in a row: repeat the call, or spread the writers over memories.`,
    );
  }
}
