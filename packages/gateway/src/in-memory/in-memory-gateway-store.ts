import type { ApiKeyRecord, GatewayStore } from "../gateway-store.ts";

export class InMemoryGatewayStore implements GatewayStore {
  readonly #keys = new Map<string, ApiKeyRecord>();

  async saveKey(record: ApiKeyRecord): Promise<void> {
    this.#keys.set(record.id, structuredClone(record));
  }

  async key(id: string): Promise<ApiKeyRecord | undefined> {
    return structuredClone(this.#keys.get(id));
  }

  async deleteKey(tenant: string, id: string): Promise<void> {
    if (this.#keys.get(id)?.principal.tenant === tenant) this.#keys.delete(id);
  }

  async close(): Promise<void> {
    this.#keys.clear();
  }
}
