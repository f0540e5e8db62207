import type { SqliteSchema } from "../internal/sqlite.ts";

export const traceSchema: SqliteSchema = {
  store: "observability.traces",
  steps: [
    `
    CREATE TABLE ashlar_spans (
      tenant TEXT NOT NULL,
      trace_id TEXT NOT NULL,
      span_id TEXT NOT NULL,
      parent_span_id TEXT,
      name TEXT NOT NULL,
      kind TEXT NOT NULL,
      start_at REAL NOT NULL,
      end_at REAL NOT NULL,
      status TEXT NOT NULL,
      status_message TEXT,
      scope TEXT NOT NULL,
      service TEXT,
      session TEXT,
      agent TEXT,
      operation TEXT,
      model TEXT,
      tool TEXT,
      input_tokens INTEGER NOT NULL,
      output_tokens INTEGER NOT NULL,
      cached_tokens INTEGER NOT NULL,
      attributes TEXT NOT NULL,
      events TEXT,
      links TEXT,
      PRIMARY KEY (tenant, trace_id, span_id)
    ) STRICT, WITHOUT ROWID;

    CREATE INDEX ashlar_spans_by_session ON ashlar_spans (tenant, session, trace_id) WHERE session IS NOT NULL;
    CREATE INDEX ashlar_spans_by_operation ON ashlar_spans (tenant, operation, start_at) WHERE operation IS NOT NULL;

    CREATE TABLE ashlar_traces (
      tenant TEXT NOT NULL,
      trace_id TEXT NOT NULL,
      name TEXT NOT NULL,
      service TEXT,
      name_from INTEGER NOT NULL,
      name_at REAL NOT NULL,
      start_at REAL NOT NULL,
      end_at REAL NOT NULL,
      spans INTEGER NOT NULL,
      errors INTEGER NOT NULL,
      PRIMARY KEY (tenant, trace_id)
    ) STRICT, WITHOUT ROWID;

    CREATE INDEX ashlar_traces_by_start ON ashlar_traces (tenant, start_at DESC, trace_id DESC);
    CREATE INDEX ashlar_traces_by_end ON ashlar_traces (end_at);
    `,
    "ALTER TABLE ashlar_spans ADD COLUMN open INTEGER NOT NULL DEFAULT 0",
  ],
};
