import type { CallContext, Clock, IdSource, Page } from "./dialect.ts";
import { MemoryError } from "./errors.ts";
import type { Filter } from "./filter.ts";
import { MOST_POSITIONS } from "./internal/document-number.ts";
import { meets } from "./internal/filters.ts";
import { keys, under } from "./internal/keys.ts";
import { merge } from "./internal/merge.ts";
import { onceOf, parseCursor, parseRecord, parseReference, scopeOf } from "./internal/parse.ts";
import { parseListNamespaces, parseListRecords } from "./internal/parse-queries.ts";
import {
  allocation,
  closing,
  ending,
  externalKey,
  placing,
  removing,
  segments,
  updating,
} from "./internal/record-changes.ts";
import { attempt, operationOf, parseOperation } from "./internal/record-operations.ts";
import { holds, knownAt, type RecordRow, recordOf } from "./internal/record-row.ts";
import { retained } from "./internal/retention.ts";
import { onRecords, type RecordsOperation } from "./internal/spans.ts";
import type { Attempt, Transactions } from "./internal/transactions.ts";
import { limits } from "./limits.ts";
import type { Batch, MemoryStore, Scope } from "./memory-store.ts";
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
import { touchedBy } from "./reflection.ts";
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

/** What a new row needs of the memory that it enters. */
interface Slot {
  readonly ordinal: number;
  readonly definition: string | undefined;
  readonly once?: string | undefined;
}

/** What was drawn from what happened, or told outright: facts, preferences, summaries, lessons. */
export class Records {
  readonly #deps: RecordsDeps;

  constructor(deps: RecordsDeps) {
    this.#deps = deps;
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
      if (first !== undefined) return { result: recordOf(await this.#must(scope, first)) };
      const row = this.#draft(context, parsed, { ordinal: Number(next ?? 0), definition, once });
      const left = this.#making(await this.#named(scope, row), row);
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
    const row = await this.#find(scopeOf(context, memory), record);
    return row === undefined || this.#expired(row) ? undefined : recordOf(row);
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
      const old = await this.#current(scope, id);
      const { values } = await this.#deps.store.read(scope, { keys: [keys.nextRecord, keys.definition()] });
      const next: RecordRow = {
        ...this.#draft(
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
      const holder = await this.#named(scope, next);
      const left = holder?.id === id ? {} : this.#making(holder, next);
      const batch = merge(allocation(values[0], 1), left, placing(next), closing(old, next));
      return { batch, result: recordOf(next) };
    });
  }

  /** It turned out not to be true, and nothing takes its place. */
  async invalidate(context: CallContext, memory: string, id: string): Promise<MemoryRecord> {
    const scope = scopeOf(context, memory);
    return this.#change("update_memory", scope, { count: 1, id }, async () => {
      const old = await this.#current(scope, id);
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
    await this.#change<void>("upsert_memory", scope, { count: revisions.length }, async () => {
      const { values } = await this.#deps.store.read(scope, { keys: [keys.nextRecord, keys.definition()] });
      const rows = new Map<string, RecordRow>();
      for (const id of revisions.flatMap(touchedBy)) {
        if (rows.has(id))
          throw new MemoryError("MEMORY_INVALID", `Two revisions touch the record ${id}: propose again.`);
        const row = await this.#current(scope, id);
        if (row.version !== basis[id]) {
          throw new MemoryError("MEMORY_CONFLICT", `Record ${id} has changed since: propose again.`);
        }
        rows.set(id, row);
      }
      for (const revision of revisions) {
        if (revision.action !== "learn") continue;
        const held = await this.#find(scope, { namespace: revision.namespace, externalId: revision.subject });
        if (held !== undefined && !revision.close.includes(held.id)) {
          throw new MemoryError("MEMORY_CONFLICT", "This lesson has been drawn since: propose again.");
        }
      }
      const first = Number(values[0] ?? 0);
      let count = 0;
      const batches = revisions.map((revision) => {
        if (revision.action === "learn") {
          const { from, close, namespace, subject, text } = revision;
          const evidence = [...from.flatMap((id) => rows.get(id)?.evidence ?? []), ...(revision.evidence ?? [])];
          const drawn = { evidence: [...new Set(evidence)].slice(0, 1_000), kind: "reflection" as const };
          const said: NewRecord = { text, namespace, subject, externalId: subject, ...drawn };
          const actors = new Set(from.map((id) => rows.get(id)?.actor));
          const [actor] = actors.size === 1 ? actors : [];
          const slot = { ordinal: first + count++, definition: values[1] };
          const drafted = this.#draft(context, { ...said, ...(actor === undefined ? {} : { actor }) }, slot);
          const lesson: RecordRow = close.length === 0 ? drafted : { ...drafted, supersedes: close };
          return merge(placing(lesson), ...close.map((id) => closing(rows.get(id) as RecordRow, lesson)));
        }
        const keep = rows.get(revision.keep) as RecordRow;
        const old = revision.close.map((id) => rows.get(id) as RecordRow);
        if (revision.action === "close") return merge(...old.map((row) => closing(row, keep, this.#deps.clock.now())));
        const all = [...old, keep];
        const { id, ordinal, version, recordedAt, updatedAt, once, ...said } = keep;
        const merged: RecordRow = {
          ...said,
          ...this.#draft(
            context,
            { ...said, text: revision.text },
            { ordinal: first + count++, definition: values[1] },
          ),
          evidence: [...new Set(all.flatMap(({ evidence }) => evidence))],
          validFrom: keep.validFrom,
          supersedes: all.map((row) => row.id),
        };
        return merge(placing(merged), ...all.map((row) => closing(row, merged)));
      });
      const batch = merge(allocation(values[0], count), ...batches);
      return revisions.length === 0 ? { result: undefined } : { batch, result: undefined };
    });
  }

  /** False when there was nothing to delete. Prefer `supersede`: a deleted record explains nothing any more. */
  async delete(context: CallContext, memory: string, record: RecordReference): Promise<boolean> {
    const scope = scopeOf(context, memory);
    return this.#change<boolean>("delete_memory", scope, { count: 1 }, async () => {
      const row = await this.#find(scope, record);
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

  #draft(context: CallContext, record: NewRecord, { ordinal, definition, once }: Slot): RecordRow {
    const now = this.#deps.clock.now();
    const { principal } = context;
    if (ordinal >= MOST_POSITIONS) {
      throw new MemoryError("MEMORY_TOO_LARGE", `A memory holds at most ${MOST_POSITIONS} records: start another.`);
    }
    return {
      namespace: "/",
      kind: "fact",
      metadata: {},
      evidence: [],
      confidence: 1,
      author: principal.user ?? principal.agent ?? principal.tenant,
      validFrom: now,
      ...retained(definition, "recordsMs", now),
      ...record,
      id: this.#deps.ids.next("rec"),
      recordedAt: now,
      version: 1,
      ordinal,
      ...(once === undefined ? {} : { once }),
    };
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
    return this.#change(operationOf(operations), scope, { count: operations.length }, async () => {
      const { values } = await this.#deps.store.read(scope, { keys: [keys.nextRecord, keys.definition()] });
      const asked = parts.flatMap((part) => (part instanceof MemoryError || part.at === undefined ? [] : [part.at]));
      const found = new Map(asked.map((at, index) => [at, index]));
      const rows = await this.#rows(scope, [...found.keys()]);
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
    });
  }

  #part(
    context: CallContext,
    operation: RecordOperation,
    old: RecordRow | undefined,
    slot: Slot,
  ): { readonly batch: Batch; readonly row?: RecordRow } {
    if (operation.action === "create" || operation.action === "put") {
      const row = this.#draft(context, operation.record, slot);
      if (operation.action === "create" || old === undefined || this.#expired(old)) {
        return { batch: merge(this.#making(old, row), placing(row)), row };
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

  /** The record that holds the external id which this one asks for. */
  async #named(scope: Scope, { namespace, externalId }: RecordRow): Promise<RecordRow | undefined> {
    return externalId === undefined ? undefined : this.#find(scope, { namespace, externalId });
  }

  /** Makes room for a record whose external id only an expired one still holds. */
  #making(holder: RecordRow | undefined, { externalId, namespace }: RecordRow): Batch {
    if (externalId === undefined) return {};
    if (holder !== undefined && this.#expired(holder)) return removing(holder);
    if (holder !== undefined)
      throw new MemoryError("MEMORY_CONFLICT", "The namespace has a record of that external id.");
    return { expect: [{ key: externalKey(namespace, externalId), value: undefined }] };
  }

  #expired({ expiresAt }: RecordRow): boolean {
    return expiresAt !== undefined && expiresAt <= this.#deps.clock.now();
  }

  async #current(scope: Scope, id: string): Promise<RecordRow> {
    const row = await this.#must(scope, id);
    if (row.supersededAt === undefined) return row;
    throw new MemoryError("MEMORY_CONFLICT", `Record ${id} is no longer current: read it again and decide anew.`);
  }

  async #must(scope: Scope, id: string): Promise<RecordRow> {
    const row = await this.#find(scope, id);
    if (row === undefined) throw new MemoryError("MEMORY_NOT_FOUND", `There is no record ${JSON.stringify(id)} here.`);
    return row;
  }

  async #find(scope: Scope, record: RecordReference): Promise<RecordRow | undefined> {
    return (await this.#rows(scope, [parseReference(record)]))[0];
  }

  /** The rows whose places stand under these keys. */
  async #rows(scope: Scope, names: readonly string[]): Promise<(RecordRow | undefined)[]> {
    const { values: places } = await this.#deps.store.read(scope, { keys: names });
    const { values } = await this.#deps.store.read(scope, { keys: places.map((at) => at ?? "") });
    return values.map((value, index) =>
      value !== undefined && places[index]?.startsWith("record/") ? (JSON.parse(value) as RecordRow) : undefined,
    );
  }
}
