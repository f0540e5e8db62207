import type { CallContext, Clock } from "../dialect.ts";
import { MemoryError } from "../errors.ts";
import type { Batch, MemoryStore, Scope } from "../memory-store.ts";
import type { RecordOperation, RecordOutcome } from "../record.ts";
import { keys } from "./keys.ts";
import { merge } from "./merge.ts";
import { allocation, placing, removing, updating } from "./record-changes.ts";
import type { RecordDrafts, Slot } from "./record-drafts.ts";
import { attempt, type Part } from "./record-operations.ts";
import { type RecordRow, recordOf } from "./record-row.ts";
import type { RecordRows } from "./record-rows.ts";
import type { Attempt } from "./transactions.ts";

export interface RecordBatchesDeps {
  readonly store: MemoryStore;
  readonly clock: Clock;
  readonly rows: RecordRows;
  readonly drafts: RecordDrafts;
}

/** Several changes in one commit. */
export class RecordBatches {
  readonly #deps: RecordBatchesDeps;

  constructor(deps: RecordBatchesDeps) {
    this.#deps = deps;
  }

  /** `failed` says what becomes of a part that cannot be carried out, or throws to refuse all of them. */
  async decide(
    context: CallContext,
    scope: Scope,
    parts: readonly (Part | MemoryError)[],
    failed: (error: MemoryError) => RecordOutcome,
  ): Promise<Attempt<readonly RecordOutcome[]>> {
    const { values } = await this.#deps.store.read(scope, { keys: [keys.nextRecord, keys.definition()] });
    const asked = parts.flatMap((part) => (part instanceof MemoryError || part.at === undefined ? [] : [part.at]));
    const found = new Map(asked.map((at, index) => [at, index]));
    const rows = await this.#deps.rows.all(scope, [...found.keys()]);
    const held = new Map([...found.keys()].map((at, index) => [at, rows[index]]));
    const touched = new Set<string>();
    const batches: Batch[] = [];
    let created = 0;
    const outcomes = parts.map((part): RecordOutcome => {
      const outcome = attempt(() => {
        if (part instanceof MemoryError) throw part;
        const { at, operation } = part;
        const old = at === undefined ? undefined : held.get(at);
        const names = [at, old?.id].filter((each) => each !== undefined);
        if (names.some((each) => touched.has(each))) {
          throw new MemoryError("MEMORY_CONFLICT", "The batch has two parts about this record: send them apart.");
        }
        for (const each of names) touched.add(each);
        const { batch, row } = this.#part(context, operation, old, {
          ordinal: Number(values[0] ?? 0) + created,
          definition: values[1],
        });
        batches.push(batch);
        if (row !== undefined && row.id !== old?.id) created += 1;
        return row === undefined ? { ok: true as const } : { ok: true as const, record: recordOf(row) };
      });
      return outcome instanceof MemoryError ? failed(outcome) : outcome;
    });
    if (batches.length === 0) return { result: outcomes };
    return { batch: merge(allocation(values[0], created), ...batches), result: outcomes };
  }

  #part(
    context: CallContext,
    operation: RecordOperation,
    old: RecordRow | undefined,
    slot: Slot,
  ): { readonly batch: Batch; readonly row?: RecordRow } {
    if (operation.action === "create" || operation.action === "put") {
      const row = this.#deps.drafts.draft(context, operation.record, slot);
      if (operation.action === "create" || old === undefined || this.#deps.rows.expired(old)) {
        return { batch: merge(this.#deps.rows.making(old, row), placing(row)), row };
      }
      const { id, ordinal, recordedAt, once } = old;
      return this.#corrected(old, { ...row, id, ordinal, recordedAt, ...(once === undefined ? {} : { once }) });
    }
    if (old === undefined) throw new MemoryError("MEMORY_NOT_FOUND", "There is no such record here.");
    if (operation.action === "delete") return { batch: removing(old) };
    const { version, ...said } = operation.changes;
    if (old.supersededAt !== undefined || (version !== undefined && version !== old.version)) {
      throw new MemoryError("MEMORY_CONFLICT", `Record ${old.id} has changed since: read it again and decide anew.`);
    }
    if (said.externalId !== undefined || said.namespace !== undefined) {
      throw new MemoryError("MEMORY_INVALID", "A record keeps its namespace and external id: create another.");
    }
    const changed: RecordRow = { ...old, ...said };
    if (changed.text === "" && changed.value === undefined) {
      throw new MemoryError("MEMORY_INVALID", "A record without words needs a value.");
    }
    return this.#corrected(old, changed);
  }

  #corrected(old: RecordRow, next: RecordRow): { readonly batch: Batch; readonly row: RecordRow } {
    const row: RecordRow = { ...next, updatedAt: this.#deps.clock.now(), version: old.version + 1 };
    return { batch: updating(old, row), row };
  }
}
