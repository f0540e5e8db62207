import type { Clock } from "../dialect.ts";
import type { IdentityStore } from "../identity-store.ts";

/** Longer than the longest renewal: three requests of ten seconds each. */
const LEASE_MS = 60_000;

/** A lease that one process holds over all that share the store. A holder that died loses it when it expires. */
export class Leases {
  readonly #store: IdentityStore;
  readonly #clock: Clock;

  constructor({ store, clock }: { readonly store: IdentityStore; readonly clock: Clock }) {
    this.#store = store;
    this.#clock = clock;
  }

  /** How to give it back, or `undefined` while another holds it. */
  async take(tenant: string, id: string): Promise<(() => Promise<void>) | undefined> {
    const expiresAt = this.#clock.now() + LEASE_MS;
    if (!(await this.#store.put(tenant, "lease", id, { body: null, expiresAt, expected: 0 }))) return undefined;
    return async () => {
      if (this.#clock.now() < expiresAt) await this.#store.take(tenant, "lease", id);
    };
  }
}
