import type { CallContext, Page } from "../dialect.ts";
import { ObservabilityError } from "../errors.ts";
import { migrate, NewerSchemaError, type SqliteDatabase, type SqliteTransaction } from "../internal/sqlite.ts";
import { decodePosition, encodePosition, limitOf } from "../internal/trace-page.ts";
import type { SpanRecord } from "../span-record.ts";
import type { TraceQuery, TraceStore, TraceSummary, UsageQuery, UsageRow } from "../trace-store.ts";
import { traceSchema } from "./schema.ts";
import { DROP_OPEN, INSERT_SPAN, type SpanRow, toParameters, toSpan } from "./span-row.ts";
import { sweepTraces } from "./sweep.ts";
import { selectUsage } from "./usage.ts";

export interface SqliteTraceStoreDeps {
  /** A better-sqlite3 `Database`; the caller opens and closes it. Several processes may hold the same file. */
  readonly database: SqliteDatabase;
}

/** Traces in one SQLite file (WAL), which may be shared with other stores and other processes. */
export class SqliteTraceStore implements TraceStore {
  readonly #database: SqliteDatabase;
  readonly #append: SqliteTransaction<[string, readonly SpanRecord[]], void>;
  #closed = false;

  constructor({ database }: SqliteTraceStoreDeps) {
    this.#database = database;
    this.#guard(() => {
      database.pragma("journal_mode = WAL");
      migrate(database, traceSchema);
    });
    const insert = database.prepare(INSERT_SPAN);
    const dropOpen = database.prepare(DROP_OPEN);
    const summarise = database.prepare(UPSERT_TRACE);
    this.#append = database.transaction((tenant: string, spans: readonly SpanRecord[]) => {
      for (const span of spans) {
        const parameters = toParameters(tenant, span);
        const fresh = insert.run(...parameters).changes;
        if (fresh === 0) {
          if (span.open === true || dropOpen.run(tenant, span.traceId, span.spanId).changes === 0) continue;
          insert.run(...parameters);
        }
        summarise.run({
          tenant,
          traceId: span.traceId,
          name: span.name,
          service: span.service ?? null,
          nameFrom: span.parentSpanId === undefined ? 0 : 1,
          startAt: span.startAt,
          endAt: span.endAt,
          spans: fresh,
          errors: span.status === "error" ? 1 : 0,
        });
      }
    });
  }

  async append({ principal }: CallContext, spans: readonly SpanRecord[]): Promise<void> {
    this.#refuseClosed();
    this.#guard(() => this.#append.immediate(principal.tenant, spans));
  }

  async trace(
    { principal }: CallContext,
    traceId: string,
    options: { readonly limit?: number } = {},
  ): Promise<readonly SpanRecord[]> {
    this.#refuseClosed();
    const limit = limitOf(options.limit, { usual: 10_000, most: 100_000 });
    const sql = "SELECT * FROM ashlar_spans WHERE tenant = ? AND trace_id = ? ORDER BY start_at, span_id LIMIT ?";
    return this.#guard(() =>
      (this.#database.prepare(sql).all(principal.tenant, traceId, limit) as SpanRow[]).map(toSpan),
    );
  }

  async list({ principal }: CallContext, query: TraceQuery = {}): Promise<Page<TraceSummary>> {
    this.#refuseClosed();
    const limit = limitOf(query.limit, { usual: 50, most: 1000 });
    const after = query.cursor === undefined ? undefined : decodePosition(query.cursor);
    const where = ["tenant = @tenant"];
    if (query.session !== undefined) {
      where.push("trace_id IN (SELECT trace_id FROM ashlar_spans WHERE tenant = @tenant AND session = @session)");
    }
    if (query.errorsOnly === true) where.push("errors > 0");
    if (query.from !== undefined) where.push("start_at >= @from");
    if (query.until !== undefined) where.push("start_at < @until");
    if (after !== undefined) where.push("(start_at, trace_id) < (@afterStart, @afterTrace)");
    const sql = `SELECT * FROM ashlar_traces WHERE ${where.join(" AND ")} ORDER BY start_at DESC, trace_id DESC LIMIT @limit`;
    const rows = this.#guard(() =>
      this.#database.prepare(sql).all({
        tenant: principal.tenant,
        session: query.session ?? null,
        from: query.from ?? null,
        until: query.until ?? null,
        afterStart: after?.startAt ?? null,
        afterTrace: after?.traceId ?? null,
        limit: limit + 1,
      }),
    ) as TraceRow[];
    const items = rows.slice(0, limit).map(toSummary);
    const last = items.at(-1);
    return { items, ...(rows.length > limit && last !== undefined ? { cursor: encodePosition(last) } : {}) };
  }

  async usage({ principal }: CallContext, query: UsageQuery): Promise<readonly UsageRow[]> {
    this.#refuseClosed();
    return this.#guard(() => selectUsage(this.#database, principal.tenant, query));
  }

  async sweep({ limit, ...options }: Parameters<TraceStore["sweep"]>[0]): Promise<{ removed: number; more: boolean }> {
    this.#refuseClosed();
    const most = limitOf(limit, { usual: 1000, most: 100_000 });
    return this.#guard(() => sweepTraces(this.#database, { ...options, limit: most }));
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #refuseClosed(): void {
    if (this.#closed)
      throw new ObservabilityError("OBSERVABILITY_STORE_CLOSED", "This trace store was closed: make a new one.");
  }

  #guard<T>(body: () => T): T {
    try {
      return body();
    } catch (cause) {
      if (cause instanceof NewerSchemaError)
        throw new ObservabilityError("OBSERVABILITY_SCHEMA_NEWER", cause.message, { cause });
      const code = (cause as { code?: unknown } | null)?.code;
      const reason = typeof code === "string" ? ` (${code})` : "";
      throw new ObservabilityError(
        "OBSERVABILITY_BACKEND_FAILED",
        `SQLite refused${reason}: see the cause, then try again or check the file and its disk.`,
        { cause },
      );
    }
  }
}

const UPSERT_TRACE = `
  INSERT INTO ashlar_traces VALUES (@tenant, @traceId, @name, @service, @nameFrom, @startAt, @startAt, @endAt, @spans, @errors)
  ON CONFLICT (tenant, trace_id) DO UPDATE SET
    name = iif((excluded.name_from, excluded.name_at) < (name_from, name_at), excluded.name, name),
    service = iif((excluded.name_from, excluded.name_at) < (name_from, name_at), excluded.service, service),
    name_at = iif((excluded.name_from, excluded.name_at) < (name_from, name_at), excluded.name_at, name_at),
    name_from = min(name_from, excluded.name_from),
    start_at = min(start_at, excluded.start_at),
    end_at = max(end_at, excluded.end_at),
    spans = spans + excluded.spans,
    errors = errors + excluded.errors`;

interface TraceRow {
  readonly trace_id: string;
  readonly name: string;
  readonly service: string | null;
  readonly start_at: number;
  readonly end_at: number;
  readonly spans: number;
  readonly errors: number;
}

function toSummary(row: TraceRow): TraceSummary {
  return {
    traceId: row.trace_id,
    name: row.name,
    ...(row.service === null ? {} : { service: row.service }),
    startAt: row.start_at,
    endAt: row.end_at,
    spans: row.spans,
    errors: row.errors,
  };
}
