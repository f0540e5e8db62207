import type { Clock } from "../dialect.ts";
import { MemoryError } from "../errors.ts";
import type { Batch, MemoryStore, Scope } from "../memory-store.ts";
import type { RecordReference } from "../record.ts";
import { parseReference } from "./parse.ts";
import { externalKey, removing } from "./record-changes.ts";
import type { RecordRow } from "./record-row.ts";

/** Finds the rows of records by what callers know of them. */
export class RecordRows {
  readonly #store: MemoryStore;
  readonly #clock: Clock;

  constructor({ store, clock }: { readonly store: MemoryStore; readonly clock: Clock }) {
    this.#store = store;
    this.#clock = clock;
  }

  async current(scope: Scope, id: string): Promise<RecordRow> {
    const row = await this.must(scope, id);
    if (row.supersededAt === undefined) return row;
    throw new MemoryError("MEMORY_CONFLICT", `Record ${id} is no longer current: read it again and decide anew.`);
  }

  async must(scope: Scope, id: string): Promise<RecordRow> {
    const row = await this.find(scope, id);
    if (row === undefined) throw new MemoryError("MEMORY_NOT_FOUND", `There is no record ${JSON.stringify(id)} here.`);
    return row;
  }

  async find(scope: Scope, record: RecordReference): Promise<RecordRow | undefined> {
    return (await this.all(scope, [parseReference(record)]))[0];
  }

  /** The record that holds the external id which this one asks for. */
  async named(scope: Scope, { namespace, externalId }: RecordRow): Promise<RecordRow | undefined> {
    return externalId === undefined ? undefined : this.find(scope, { namespace, externalId });
  }

  /** The rows whose places stand under these keys. */
  async all(scope: Scope, names: readonly string[]): Promise<(RecordRow | undefined)[]> {
    const { values: places } = await this.#store.read(scope, { keys: names });
    const { values } = await this.#store.read(scope, { keys: places.map((at) => at ?? "") });
    return values.map((value, index) =>
      value !== undefined && places[index]?.startsWith("record/") ? (JSON.parse(value) as RecordRow) : undefined,
    );
  }

  expired({ expiresAt }: RecordRow): boolean {
    return expiresAt !== undefined && expiresAt <= this.#clock.now();
  }

  /** Makes room for a record whose external id only an expired one still holds. */
  making(holder: RecordRow | undefined, { externalId, namespace }: RecordRow): Batch {
    if (externalId === undefined) return {};
    if (holder !== undefined && this.expired(holder)) return removing(holder);
    if (holder !== undefined)
      throw new MemoryError("MEMORY_CONFLICT", "The namespace has a record of that external id.");
    return { expect: [{ key: externalKey(namespace, externalId), value: undefined }] };
  }
}
