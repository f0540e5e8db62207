import type { SqliteSchema } from "../internal/sqlite.ts";

/**
 * Events lie under their session's number in order: a read is one sweep, an append goes to the end. Instants are REAL: a whole
 * number takes an integer's room, and a computed fraction is no error.
 */
export const SESSION_LOG_SCHEMA: SqliteSchema = {
  store: "runtime_session_log",
  steps: [
    `
    CREATE TABLE runtime_session (
      number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, agent TEXT NOT NULL,
      agent_version TEXT NOT NULL, external_id TEXT, parent TEXT, status TEXT NOT NULL, metadata TEXT NOT NULL,
      state TEXT NOT NULL, created_at REAL NOT NULL, updated_at REAL NOT NULL, archived_at REAL, fence TEXT, owner TEXT,
      wake_at REAL
    ) STRICT;
    CREATE INDEX runtime_session_tenant ON runtime_session (tenant, id);
    CREATE INDEX runtime_session_live ON runtime_session (tenant, status, id) WHERE status NOT IN ('idle', 'ended');
    CREATE UNIQUE INDEX runtime_session_external ON runtime_session (tenant, agent, external_id)
      WHERE external_id IS NOT NULL;
    CREATE INDEX runtime_session_parent ON runtime_session (tenant, parent, id) WHERE parent IS NOT NULL;
    CREATE INDEX runtime_session_owner ON runtime_session (owner) WHERE owner IS NOT NULL;
    CREATE INDEX runtime_session_wake ON runtime_session (wake_at, id) WHERE wake_at IS NOT NULL;
    CREATE TABLE runtime_event (
      session INTEGER NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, at REAL NOT NULL,
      fence TEXT NOT NULL, turn INTEGER, step TEXT, attempt INTEGER, idempotency_key TEXT, traceparent TEXT,
      schema_version INTEGER NOT NULL, body TEXT, blob TEXT, PRIMARY KEY (session, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX runtime_event_key ON runtime_event (session, idempotency_key) WHERE idempotency_key IS NOT NULL;
    CREATE TABLE runtime_snapshot (session INTEGER PRIMARY KEY, seq INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
    CREATE TABLE runtime_session_lease (owner TEXT PRIMARY KEY, expires_at REAL NOT NULL) STRICT, WITHOUT ROWID;
    `,
  ],
};

export const WORK_QUEUE_SCHEMA: SqliteSchema = {
  store: "runtime_work_queue",
  steps: [
    `
    CREATE TABLE runtime_job (
      session TEXT PRIMARY KEY, lane TEXT NOT NULL, available_at REAL NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX runtime_job_lane ON runtime_job (lane, available_at);
    CREATE TABLE runtime_working (
      session TEXT PRIMARY KEY, lane TEXT NOT NULL, available_at REAL NOT NULL, token TEXT NOT NULL, owner TEXT NOT NULL,
      again_lane TEXT, again_at REAL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE runtime_held (key TEXT NOT NULL, session TEXT NOT NULL, PRIMARY KEY (key, session))
      STRICT, WITHOUT ROWID;
    CREATE INDEX runtime_held_session ON runtime_held (session);
    CREATE TABLE runtime_rate (key TEXT PRIMARY KEY, arrival REAL NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE runtime_queue_lease (owner TEXT PRIMARY KEY, expires_at REAL NOT NULL) STRICT, WITHOUT ROWID;
    `,
  ],
};

export const CATALOG_SCHEMA: SqliteSchema = {
  store: "runtime_catalog",
  steps: [
    `
    CREATE TABLE runtime_document_name (
      tenant TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, last INTEGER NOT NULL, newest INTEGER NOT NULL,
      PRIMARY KEY (tenant, kind, name)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX runtime_document_kind ON runtime_document_name (kind, tenant) WHERE newest > 0;
    CREATE TABLE runtime_document (
      tenant TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, at REAL NOT NULL,
      body TEXT NOT NULL, PRIMARY KEY (tenant, kind, name, version)
    ) STRICT, WITHOUT ROWID;
    `,
  ],
};
