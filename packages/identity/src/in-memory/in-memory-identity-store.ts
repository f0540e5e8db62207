import { type Clock, type Page, systemClock } from "../dialect.ts";
import { IdentityError } from "../errors.ts";
import type { IdentityStore, RecordKind, RecordWrite, StoredRecord } from "../identity-store.ts";

export interface InMemoryIdentityStoreDeps {
  readonly clock?: Clock;
}

/** The executable specification of `IdentityStore`; forgets everything when the process ends. */
export class InMemoryIdentityStore implements IdentityStore {
  readonly #clock: Clock;
  readonly #records = new Map<string, StoredRecord>();
  #closed = false;

  constructor({ clock = systemClock }: InMemoryIdentityStoreDeps = {}) {
    this.#clock = clock;
  }

  async get(tenant: string, kind: RecordKind, id: string): Promise<StoredRecord | undefined> {
    this.#open();
    return this.#live(key(tenant, kind, id));
  }

  async getMany(
    tenant: string,
    kind: RecordKind,
    ids: readonly string[],
  ): Promise<readonly (StoredRecord | undefined)[]> {
    this.#open();
    return ids.map((id) => this.#live(key(tenant, kind, id)));
  }

  async put(tenant: string, kind: RecordKind, id: string, write: RecordWrite): Promise<StoredRecord | undefined> {
    this.#open();
    const at = key(tenant, kind, id);
    if ((this.#live(at)?.version ?? 0) !== write.expected) return undefined;
    const record: StoredRecord = {
      id,
      version: write.expected + 1,
      body: structuredClone(write.body),
      ...(write.expiresAt === undefined ? {} : { expiresAt: write.expiresAt }),
    };
    this.#records.set(at, record);
    return record;
  }

  async take(tenant: string, kind: RecordKind, id: string): Promise<StoredRecord | undefined> {
    this.#open();
    const at = key(tenant, kind, id);
    const found = this.#live(at);
    this.#records.delete(at);
    return found;
  }

  async list(
    tenant: string,
    kind: RecordKind,
    { prefix = "", cursor, limit = 100 }: { prefix?: string; cursor?: string; limit?: number } = {},
  ): Promise<Page<StoredRecord>> {
    this.#open();
    const found = [...this.#records.keys()]
      .filter((at) => at.startsWith(key(tenant, kind, "")))
      .map((at) => this.#live(at))
      .filter((record) => record !== undefined)
      .filter(({ id }) => id.startsWith(prefix) && (cursor === undefined || id > cursor))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    const items = found.slice(0, limit);
    const last = items.at(-1);
    return found.length > limit && last ? { items, cursor: last.id } : { items };
  }

  async tenants(kind: RecordKind): Promise<readonly string[]> {
    this.#open();
    const keys = [...this.#records.keys()].map((at) => JSON.parse(at.slice(0, at.indexOf("]") + 1)) as string[]);
    return [
      ...new Set(keys.filter(([, of]) => of === kind).map(([tenant]) => decodeURIComponent(tenant ?? ""))),
    ].sort();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#records.clear();
  }

  #live(at: string): StoredRecord | undefined {
    const found = this.#records.get(at);
    return found?.expiresAt !== undefined && found.expiresAt <= this.#clock.now() ? undefined : found;
  }

  #open(): void {
    if (this.#closed) throw new IdentityError("IDENTITY_CLOSED", "This identity store is closed.");
  }
}

const key = (tenant: string, kind: RecordKind, id: string): string =>
  `${JSON.stringify([encodeURIComponent(tenant), kind])}${id}`;
