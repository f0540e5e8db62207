import type { CallContext, Clock, IdSource, Page } from "./dialect.ts";
import { MemoryError } from "./errors.ts";
import type { Filter } from "./filter.ts";
import { Consolidation } from "./internal/consolidation.ts";
import { meets } from "./internal/filters.ts";
import { keys, under } from "./internal/keys.ts";
import { merge } from "./internal/merge.ts";
import { onceOf, parseCursor, parseRecord, scopeOf } from "./internal/parse.ts";
import { parseListNamespaces, parseListRecords } from "./internal/parse-queries.ts";
import { RecordBatches } from "./internal/record-batches.ts";
import { allocation, closing, ending, placing, removing, segments } from "./internal/record-changes.ts";
import { RecordDrafts } from "./internal/record-drafts.ts";
import { attempt, operationOf, parseOperation } from "./internal/record-operations.ts";
import { holds, knownAt, type RecordRow, recordOf } from "./internal/record-row.ts";
import { RecordRows } from "./internal/record-rows.ts";
import { onRecords, type RecordsOperation } from "./internal/spans.ts";
import type { Attempt, Transactions } from "./internal/transactions.ts";
import { limits } from "./limits.ts";
import type { MemoryStore, Scope } from "./memory-store.ts";
import type {
  AsOf,
  MemoryRecord,
  NewRecord,
  RecordChanges,
  RecordKind,
  RecordOperation,
  RecordOutcome,
  RecordReference,
} from "./record.ts";
import type { Revision } from "./reflector.ts";

export interface RecordsDeps {
  readonly store: MemoryStore;
  readonly transactions: Transactions;
  readonly clock: Clock;
  readonly ids: IdSource;
}

export interface ListRecords extends AsOf {
  /** Records filed here and, unless `exact`, anywhere below. Default `/`. */
  readonly namespace?: string;
  readonly exact?: boolean;
  readonly kinds?: readonly RecordKind[];
  /** Also what is no longer true. Default false. */
  readonly withSuperseded?: boolean;
  /** All of them must hold. */
  readonly filters?: readonly Filter[];
  /** Most records of a page, 1 to 1,000. Default 100. */
  readonly limit?: number;
  readonly cursor?: string;
}

/** What was drawn from what happened, or told outright: facts, preferences, summaries, lessons. */
export class Records {
  readonly #deps: RecordsDeps & { readonly rows: RecordRows; readonly drafts: RecordDrafts };
  readonly #batches: RecordBatches;
  readonly #consolidation: Consolidation;

  constructor(deps: RecordsDeps) {
    this.#deps = { ...deps, rows: new RecordRows(deps), drafts: new RecordDrafts(deps) };
    this.#batches = new RecordBatches(this.#deps);
    this.#consolidation = new Consolidation(this.#deps);
  }

  /** With an idempotency key a repetition returns the first. Refused with a conflict when its external id is taken. */
  async create(context: CallContext, memory: string, record: NewRecord): Promise<MemoryRecord> {
    const scope = scopeOf(context, memory);
    const parsed = parseRecord(record);
    const once = onceOf(context, "record");
    return this.#change("create_memory", scope, { count: 1 }, async () => {
      const { values } = await this.#deps.store.read(scope, {
        keys: [keys.nextRecord, keys.definition(), ...(once === undefined ? [] : [once])],
      });
      const [next, definition, first] = values;
      if (first !== undefined) return { result: recordOf(await this.#deps.rows.must(scope, first)) };
      const row = this.#deps.drafts.draft(context, parsed, { ordinal: Number(next ?? 0), definition, once });
      const left = this.#deps.rows.making(await this.#deps.rows.named(scope, row), row);
      return { batch: merge(allocation(next, 1), left, placing(row)), result: recordOf(row) };
    });
  }

  /** All of them or none, in one commit. At most 500. */
  async createMany(
    context: CallContext,
    memory: string,
    records: readonly NewRecord[],
  ): Promise<readonly MemoryRecord[]> {
    const outcomes = await this.#apply(
      context,
      memory,
      Array.isArray(records) ? records.map((record: NewRecord) => ({ action: "create", record })) : [records as never],
      (error) => {
        throw error;
      },
    );
    return outcomes.flatMap((outcome) => (outcome.ok && outcome.record !== undefined ? [outcome.record] : []));
  }

  /**
   * In one commit, with what became of each part, in order; a part that fails leaves the others alone. At most 500, and
   * no two about the same record.
   */
  batch(
    context: CallContext,
    memory: string,
    operations: readonly RecordOperation[],
  ): Promise<readonly RecordOutcome[]> {
    return this.#apply(context, memory, operations, (error) => ({ ok: false, error }));
  }

  async get(context: CallContext, memory: string, record: RecordReference): Promise<MemoryRecord | undefined> {
    const row = await this.#deps.rows.find(scopeOf(context, memory), record);
    return row === undefined || this.#deps.rows.expired(row) ? undefined : recordOf(row);
  }

  /**
   * Corrects a record in place: what it said before is gone, from reads as of an earlier instant too. When the world
   * has changed rather than the wording, `supersede`.
   */
  async update(
    context: CallContext,
    memory: string,
    record: RecordReference,
    changes: RecordChanges,
  ): Promise<MemoryRecord> {
    const [outcome] = await this.#apply(context, memory, [{ action: "update", record, changes }], (error) => {
      throw error;
    });
    return (outcome as { readonly record: MemoryRecord }).record;
  }

  /** In the order of being recorded within a namespace. */
  async list(context: CallContext, memory: string, query: ListRecords = {}): Promise<Page<MemoryRecord>> {
    const scope = scopeOf(context, memory);
    const { namespace = "/", exact = false, kinds, withSuperseded = false, ...asked } = parseListRecords(query);
    const { limit = 100, cursor, filters = [], asOf } = asked;
    const now = this.#deps.clock.now();
    const prefix = keys.namespace(segments(namespace));
    const bounds = under(exact ? `${prefix}/` : prefix);
    let range = { from: parseCursor(cursor, bounds), to: bounds.to };
    const found: { key: string; record: MemoryRecord }[] = [];
    for (;;) {
      const entries = await this.#deps.store.scan(scope, { ...range, limit: limit + 1 });
      const rows = await this.#deps.store.read(scope, { keys: entries.map(({ value }) => value) });
      entries.forEach(({ key }, index) => {
        const value = rows.values[index];
        if (value === undefined) return;
        const row = JSON.parse(value) as RecordRow;
        if (kinds !== undefined && !kinds.includes(row.kind)) return;
        const known = withSuperseded ? row.recordedAt <= (asOf ?? Number.POSITIVE_INFINITY) : holds(row, asked, now);
        if (known && meets({ ...row, at: row.validFrom }, filters)) found.push({ key, record: knownAt(row, asOf) });
      });
      const last = entries.at(-1);
      if (last === undefined || entries.length <= limit || found.length > limit) break;
      range = { from: `${last.key}!`, to: bounds.to };
    }
    const page = found.slice(0, limit);
    const last = page.at(-1);
    return {
      items: page.map(({ record }) => record),
      ...(found.length > limit && last !== undefined ? { cursor: last.key } : {}),
    };
  }

  /** Namespaces, at or below the one given, that hold a record of whatever age. */
  async namespaces(
    context: CallContext,
    memory: string,
    query: { readonly namespace?: string; readonly limit?: number; readonly cursor?: string } = {},
  ): Promise<Page<string>> {
    const scope = scopeOf(context, memory);
    const { namespace = "/", limit = 100, cursor } = parseListNamespaces(query);
    const bounds = under(keys.namespace(segments(namespace)));
    const items: string[] = [];
    for (let from = parseCursor(cursor, bounds); ; ) {
      const [entry] = await this.#deps.store.scan(scope, { from, to: bounds.to, limit: 1 });
      if (entry === undefined) return { items };
      const path = entry.key.slice(0, entry.key.lastIndexOf("//") + 2);
      if (items.length === limit) return { items, cursor: from };
      items.push(`/${path.slice("namespace/".length, -2).split("/").map(decodeURIComponent).join("/")}`);
      from = under(path).to;
    }
  }

  /**
   * A new record takes an old one's place; both keep their evidence. Of two callers who supersede the same record one
   * wins, the other gets a conflict.
   */
  async supersede(context: CallContext, memory: string, id: string, record: NewRecord): Promise<MemoryRecord> {
    const scope = scopeOf(context, memory);
    const parsed = parseRecord(record);
    return this.#change("update_memory", scope, { count: 1, id }, async () => {
      const old = await this.#deps.rows.current(scope, id);
      const { values } = await this.#deps.store.read(scope, { keys: [keys.nextRecord, keys.definition()] });
      const next: RecordRow = {
        ...this.#deps.drafts.draft(
          context,
          {
            namespace: old.namespace,
            kind: old.kind,
            ...(old.subject === undefined ? {} : { subject: old.subject }),
            ...(old.actor === undefined ? {} : { actor: old.actor }),
            ...(old.externalId === undefined ? {} : { externalId: old.externalId }),
            ...parsed,
          },
          { ordinal: Number(values[0] ?? 0), definition: values[1] },
        ),
        supersedes: [id],
      };
      const holder = await this.#deps.rows.named(scope, next);
      const left = holder?.id === id ? {} : this.#deps.rows.making(holder, next);
      const batch = merge(allocation(values[0], 1), left, placing(next), closing(old, next));
      return { batch, result: recordOf(next) };
    });
  }

  /** It turned out not to be true, and nothing takes its place. */
  async invalidate(context: CallContext, memory: string, id: string): Promise<MemoryRecord> {
    const scope = scopeOf(context, memory);
    return this.#change("update_memory", scope, { count: 1, id }, async () => {
      const old = await this.#deps.rows.current(scope, id);
      const [row, batch] = ending(old, this.#deps.clock.now());
      return { batch, result: recordOf(row) };
    });
  }

  /** Carries out revisions in one commit; refused when a record is no longer at the version that `basis` gives. */
  async consolidate(
    context: CallContext,
    memory: string,
    revisions: readonly Revision[],
    basis: Readonly<Record<string, number>>,
  ): Promise<void> {
    const scope = scopeOf(context, memory);
    await this.#change<void>("upsert_memory", scope, { count: revisions.length }, () =>
      this.#consolidation.decide(context, scope, revisions, basis),
    );
  }

  /** False when there was nothing to delete. Prefer `supersede`: a deleted record explains nothing any more. */
  async delete(context: CallContext, memory: string, record: RecordReference): Promise<boolean> {
    const scope = scopeOf(context, memory);
    return this.#change<boolean>("delete_memory", scope, { count: 1 }, async () => {
      const row = await this.#deps.rows.find(scope, record);
      return row === undefined ? { result: false } : { batch: removing(row), result: true };
    });
  }

  #change<T>(
    operation: RecordsOperation,
    scope: Scope,
    records: { readonly count: number; readonly id?: string },
    attempt: () => Promise<Attempt<T>>,
  ): Promise<T> {
    return onRecords(operation, scope, records, () => this.#deps.transactions.run(scope, attempt));
  }

  async #apply(
    context: CallContext,
    memory: string,
    operations: readonly RecordOperation[],
    failed: (error: MemoryError) => RecordOutcome,
  ): Promise<readonly RecordOutcome[]> {
    const scope = scopeOf(context, memory);
    if (!Array.isArray(operations)) throw new MemoryError("MEMORY_INVALID", "A batch is a list of parts.");
    if (operations.length > limits.batchItems) {
      throw new MemoryError("MEMORY_TOO_LARGE", `A batch holds at most ${limits.batchItems} parts: send several.`);
    }
    const parts = operations.map((operation) => attempt(() => parseOperation(operation)));
    return this.#change(operationOf(operations), scope, { count: operations.length }, () =>
      this.#batches.decide(context, scope, parts, failed),
    );
  }
}
