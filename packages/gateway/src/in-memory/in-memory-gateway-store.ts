import type { ApiKeyRecord, CallRecord, GatewayStore, TargetRecord } from "../gateway-store.ts";

const SWEEP_EVERY = 1024;

const keyOf = (tenant: string, id: string): string => JSON.stringify([tenant, id]);

export class InMemoryGatewayStore implements GatewayStore {
  readonly #keys = new Map<string, ApiKeyRecord>();
  readonly #targets = new Map<string, TargetRecord>();
  readonly #calls = new Map<string, CallRecord>();
  #claims = 0;

  async saveKey(record: ApiKeyRecord): Promise<void> {
    this.#keys.set(record.id, structuredClone(record));
  }

  async key(id: string): Promise<ApiKeyRecord | undefined> {
    return structuredClone(this.#keys.get(id));
  }

  async deleteKey(tenant: string, id: string): Promise<void> {
    if (this.#keys.get(id)?.principal.tenant === tenant) this.#keys.delete(id);
  }

  async saveTarget(record: TargetRecord): Promise<void> {
    this.#targets.set(keyOf(record.tenant, record.name), structuredClone(record));
  }

  async targets(tenant: string): Promise<readonly TargetRecord[]> {
    const found = [...this.#targets.values()].filter((record) => record.tenant === tenant);
    return structuredClone(found.sort((left, right) => (left.name < right.name ? -1 : 1)));
  }

  async deleteTarget(tenant: string, name: string): Promise<void> {
    this.#targets.delete(keyOf(tenant, name));
  }

  async claimCall(record: CallRecord): Promise<CallRecord> {
    if (++this.#claims % SWEEP_EVERY === 0) this.#sweep(record.claimedAt);
    const key = keyOf(record.tenant, record.id);
    const kept = this.#calls.get(key);
    if (kept !== undefined && kept.expiresAt > record.claimedAt) return structuredClone(kept);
    this.#calls.set(key, structuredClone(record));
    return record;
  }

  async settleCall(record: CallRecord): Promise<boolean> {
    const key = keyOf(record.tenant, record.id);
    if (this.#calls.get(key)?.claim !== record.claim) return false;
    this.#calls.set(key, structuredClone(record));
    return true;
  }

  async releaseCall(tenant: string, id: string, claim: string): Promise<void> {
    const key = keyOf(tenant, id);
    const kept = this.#calls.get(key);
    if (kept?.claim === claim && kept.result === undefined) this.#calls.delete(key);
  }

  async close(): Promise<void> {
    for (const records of [this.#keys, this.#targets, this.#calls]) records.clear();
  }

  #sweep(now: number): void {
    for (const [key, { expiresAt }] of this.#calls) if (expiresAt <= now) this.#calls.delete(key);
  }
}
