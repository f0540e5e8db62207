import type { AuditRow, AuditStore } from "../audit-store.ts";
import { IdentityError } from "../errors.ts";

/** The executable specification of `AuditStore`; forgets everything when the process ends. */
export class InMemoryAuditStore implements AuditStore {
  readonly #chains = new Map<string, AuditRow[]>();
  #closed = false;

  async head(tenant: string): Promise<AuditRow | undefined> {
    return this.#chain(tenant).at(-1);
  }

  async append(row: AuditRow): Promise<boolean> {
    const chain = this.#chain(row.tenant);
    if (row.seq !== chain.length + 1) return false;
    chain.push(structuredClone(row));
    this.#chains.set(row.tenant, chain);
    return true;
  }

  async read(
    tenant: string,
    { after = 0, limit = 500 }: { after?: number; limit?: number } = {},
  ): Promise<readonly AuditRow[]> {
    return structuredClone(this.#chain(tenant).slice(after, after + limit));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#chains.clear();
  }

  #chain(tenant: string): AuditRow[] {
    if (this.#closed) throw new IdentityError("IDENTITY_CLOSED", "This audit store is closed.");
    return this.#chains.get(tenant) ?? [];
  }
}
