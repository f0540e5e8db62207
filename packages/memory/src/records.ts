import type { CallContext, Clock, IdSource, Page } from "./dialect.ts";
import { MemoryError } from "./errors.ts";
import { MOST_POSITIONS } from "./internal/document-number.ts";
import { indexing, unindexing } from "./internal/indexing.ts";
import { keys, under } from "./internal/keys.ts";
import { merge } from "./internal/merge.ts";
import { parseCursor, parseLimit, parseNamespace, parseRecord, scopeOf } from "./internal/parse.ts";
import { holds, knownAt, type RecordRow, recordIndexing, recordOf } from "./internal/record-row.ts";
import type { Transactions } from "./internal/transactions.ts";
import { limits } from "./limits.ts";
import type { Batch, MemoryStore, Scope } from "./memory-store.ts";
import type { AsOf, MemoryRecord, NewRecord, RecordKind } from "./record.ts";
import type { Revision } from "./reflection.ts";

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
  /** Most records of a page, 1 to 1,000. Default 100. */
  readonly limit?: number;
  readonly cursor?: string;
}

/** What was drawn from what happened, or told outright: facts, preferences, summaries, lessons. */
export class Records {
  readonly #deps: RecordsDeps;

  constructor(deps: RecordsDeps) {
    this.#deps = deps;
  }

  /** With an idempotency key a repetition returns the first. */
  async create(context: CallContext, memory: string, record: NewRecord): Promise<MemoryRecord> {
    const scope = scopeOf(context, memory);
    const parsed = parseRecord(record);
    const once = context.idempotencyKey === undefined ? undefined : keys.once(`record ${context.idempotencyKey}`);
    return this.#deps.transactions.run(scope, async () => {
      const { values } = await this.#deps.store.read(scope, {
        keys: [keys.nextRecord, ...(once === undefined ? [] : [once])],
      });
      if (values[1] !== undefined) return { result: recordOf(await this.#must(scope, values[1])) };
      const row = this.#draft(context, parsed, Number(values[0] ?? 0), once);
      return { batch: merge(allocation(values[0], 1), placing(row)), result: recordOf(row) };
    });
  }

  /** All of them or none, in one commit. At most 500. */
  async createMany(
    context: CallContext,
    memory: string,
    records: readonly NewRecord[],
  ): Promise<readonly MemoryRecord[]> {
    const scope = scopeOf(context, memory);
    if (records.length > limits.batchItems) {
      throw new MemoryError("MEMORY_TOO_LARGE", `A batch holds at most ${limits.batchItems} records: send several.`);
    }
    const parsed = records.map(parseRecord);
    return this.#deps.transactions.run(scope, async () => {
      const { values } = await this.#deps.store.read(scope, { keys: [keys.nextRecord] });
      const first = Number(values[0] ?? 0);
      const rows = parsed.map((record, index) => this.#draft(context, record, first + index));
      return { batch: merge(allocation(values[0], rows.length), ...rows.map(placing)), result: rows.map(recordOf) };
    });
  }

  async get(context: CallContext, memory: string, id: string): Promise<MemoryRecord | undefined> {
    const row = await this.#find(scopeOf(context, memory), id);
    return row === undefined ? undefined : recordOf(row);
  }

  /** In the order of being recorded within a namespace. */
  async list(context: CallContext, memory: string, query: ListRecords = {}): Promise<Page<MemoryRecord>> {
    const scope = scopeOf(context, memory);
    const { namespace = "/", exact = false, kinds, withSuperseded = false, limit = 100, cursor } = query;
    const asOf = query.asOf ?? this.#deps.clock.now();
    const prefix = keys.namespace(segments(parseNamespace(namespace)));
    const bounds = under(exact ? `${prefix}/` : prefix);
    parseLimit(limit);
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
        const known = withSuperseded ? row.recordedAt <= asOf : holds(row, { ...query, asOf });
        if (known) found.push({ key, record: knownAt(row, asOf) });
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

  /**
   * A new record takes an old one's place; both keep their evidence. Of two callers who supersede the same record one
   * wins, the other gets a conflict.
   */
  async supersede(context: CallContext, memory: string, id: string, record: NewRecord): Promise<MemoryRecord> {
    const scope = scopeOf(context, memory);
    const parsed = parseRecord(record);
    return this.#deps.transactions.run(scope, async () => {
      const old = await this.#current(scope, id);
      const { values } = await this.#deps.store.read(scope, { keys: [keys.nextRecord] });
      const next: RecordRow = {
        ...this.#draft(
          context,
          {
            namespace: old.namespace,
            kind: old.kind,
            ...(old.subject === undefined ? {} : { subject: old.subject }),
            ...(old.actor === undefined ? {} : { actor: old.actor }),
            ...parsed,
          },
          Number(values[0] ?? 0),
        ),
        supersedes: [id],
      };
      return { batch: merge(allocation(values[0], 1), placing(next), closing(old, next)), result: recordOf(next) };
    });
  }

  /** It turned out not to be true, and nothing takes its place. */
  async invalidate(context: CallContext, memory: string, id: string): Promise<MemoryRecord> {
    const scope = scopeOf(context, memory);
    return this.#deps.transactions.run(scope, async () => {
      const old = await this.#current(scope, id);
      const closed: RecordRow = {
        ...old,
        ...(old.validTo === undefined ? {} : { statedValidTo: old.validTo }),
        supersededAt: this.#deps.clock.now(),
        version: old.version + 1,
      };
      return { batch: replacing(old, closed), result: recordOf(closed) };
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
    await this.#deps.transactions.run<void>(scope, async () => {
      const { values } = await this.#deps.store.read(scope, { keys: [keys.nextRecord] });
      const rows = new Map<string, RecordRow>();
      for (const id of new Set(revisions.flatMap(({ keep, close }) => [keep, ...close]))) {
        const row = await this.#current(scope, id);
        if (row.version !== basis[id]) {
          throw new MemoryError("MEMORY_CONFLICT", `Record ${id} has changed since: propose again.`);
        }
        rows.set(id, row);
      }
      const first = Number(values[0] ?? 0);
      let count = 0;
      const batches = revisions.map((revision) => {
        const keep = rows.get(revision.keep) as RecordRow;
        const old = revision.close.map((id) => rows.get(id) as RecordRow);
        if (revision.action === "close") return merge(...old.map((row) => closing(row, keep, this.#deps.clock.now())));
        const all = [...old, keep];
        const { id, ordinal, version, recordedAt, once, ...said } = keep;
        const merged: RecordRow = {
          ...said,
          ...this.#draft(context, { ...said, text: revision.text }, first + count++),
          evidence: [...new Set(all.flatMap(({ evidence }) => evidence))],
          validFrom: keep.validFrom,
          supersedes: all.map((row) => row.id),
        };
        return merge(placing(merged), ...all.map((row) => closing(row, merged)));
      });
      const batch = merge(count === 0 ? {} : allocation(values[0], count), ...batches);
      return revisions.length === 0 ? { result: undefined } : { batch, result: undefined };
    });
  }

  /** False when there was nothing to delete. Prefer `supersede`: a deleted record explains nothing any more. */
  async delete(context: CallContext, memory: string, id: string): Promise<boolean> {
    const scope = scopeOf(context, memory);
    return this.#deps.transactions.run<boolean>(scope, async () => {
      const row = await this.#find(scope, id);
      return row === undefined ? { result: false } : { batch: removing(row), result: true };
    });
  }

  #draft(context: CallContext, record: NewRecord, ordinal: number, once?: string): RecordRow {
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
      ...record,
      id: this.#deps.ids.next("rec"),
      recordedAt: now,
      version: 1,
      ordinal,
      ...(once === undefined ? {} : { once }),
    };
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

  async #find(scope: Scope, id: string): Promise<RecordRow | undefined> {
    const { values } = await this.#deps.store.read(scope, { keys: [keys.id(id)] });
    const [at] = values;
    if (at === undefined || !at.startsWith("record/")) return undefined;
    const { values: rows } = await this.#deps.store.read(scope, { keys: [at] });
    return rows[0] === undefined ? undefined : (JSON.parse(rows[0]) as RecordRow);
  }
}

const segments = (namespace: string): string[] => namespace.split("/").filter((each) => each !== "");

const allocation = (next: string | undefined, count: number): Batch => ({
  expect: [{ key: keys.nextRecord, value: next }],
  put: [{ key: keys.nextRecord, value: String(Number(next ?? 0) + count) }],
});

function placing(row: RecordRow): Batch {
  const at = keys.record(row.ordinal);
  return merge(
    {
      put: [
        { key: at, value: JSON.stringify(row) },
        { key: keys.id(row.id), value: at },
        { key: keys.namespace(segments(row.namespace), row.ordinal), value: at },
        ...(row.actor === undefined ? [] : [{ key: keys.about(row.actor, row.ordinal), value: at }]),
        ...(row.expiresAt === undefined ? [] : [{ key: keys.expiry(row.expiresAt, row.id), value: at }]),
      ],
    },
    row.once === undefined
      ? {}
      : { expect: [{ key: row.once, value: undefined }], put: [{ key: row.once, value: row.id }] },
    indexing(recordIndexing(row)),
  );
}

function closing(old: RecordRow, next: RecordRow, at: number = next.recordedAt): Batch {
  return replacing(old, {
    ...old,
    ...(old.validTo === undefined ? {} : { statedValidTo: old.validTo }),
    validTo: Math.min(old.validTo ?? next.validFrom, next.validFrom),
    supersededAt: at,
    supersededBy: next.id,
    version: old.version + 1,
  });
}

const replacing = (old: RecordRow, changed: RecordRow): Batch => ({
  expect: [{ key: keys.record(old.ordinal), value: JSON.stringify(old) }],
  put: [{ key: keys.record(old.ordinal), value: JSON.stringify(changed) }],
});

export function removing(row: RecordRow): Batch {
  const at = keys.record(row.ordinal);
  return merge(
    {
      expect: [{ key: keys.id(row.id), value: at }],
      delete: [
        at,
        keys.vector("records", row.ordinal),
        keys.id(row.id),
        keys.namespace(segments(row.namespace), row.ordinal),
        ...(row.once === undefined ? [] : [row.once]),
        ...(row.actor === undefined ? [] : [keys.about(row.actor, row.ordinal)]),
        ...(row.expiresAt === undefined ? [] : [keys.expiry(row.expiresAt, row.id)]),
      ],
    },
    unindexing(recordIndexing(row)),
  );
}
