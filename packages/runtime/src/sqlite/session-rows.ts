import type { Json, Metadata } from "../dialect.ts";
import type { NewEvent, SessionEvent } from "../session-event.ts";
import type { SessionRecord, SessionStatus } from "../session-log.ts";

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** A row of `runtime_session`, with the head of its log. */
export interface SessionRow {
  readonly number: number;
  readonly id: string;
  readonly tenant: string;
  readonly agent: string;
  readonly agent_version: string;
  readonly external_id: string | null;
  readonly parent: string | null;
  readonly status: SessionStatus;
  readonly metadata: string;
  readonly state: string;
  readonly created_at: number;
  readonly updated_at: number;
  readonly archived_at: number | null;
  readonly fence: string | null;
  readonly owner: string | null;
  readonly wake_at: number | null;
  readonly head: number;
}

export function recordOf(row: SessionRow): SessionRecord {
  const record: Mutable<SessionRecord> = {
    id: row.id,
    tenant: row.tenant,
    agent: row.agent,
    agentVersion: row.agent_version,
    status: row.status,
    metadata: JSON.parse(row.metadata) as Metadata,
    state: JSON.parse(row.state) as Json,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    head: row.head,
  };
  if (row.external_id !== null) record.externalId = row.external_id;
  if (row.parent !== null) record.parent = row.parent;
  if (row.archived_at !== null) record.archivedAt = row.archived_at;
  if (row.fence !== null) record.fence = row.fence;
  if (row.owner !== null) record.owner = row.owner;
  if (row.wake_at !== null) record.wakeAt = row.wake_at;
  return record;
}

/** A row of `runtime_event`. */
export interface EventRow {
  readonly seq: number;
  readonly id: string;
  readonly type: string;
  readonly at: number;
  readonly fence: string;
  readonly turn: number | null;
  readonly step: string | null;
  readonly attempt: number | null;
  readonly idempotency_key: string | null;
  readonly traceparent: string | null;
  readonly schema_version: number;
  readonly body: string | null;
  readonly blob: string | null;
}

export function eventOf(row: EventRow, tenant: string, session: string): SessionEvent {
  const { seq, id, type, at, fence } = row;
  const event: Mutable<SessionEvent> = { tenant, session, seq, id, type, at, fence, schemaVersion: row.schema_version };
  if (row.turn !== null) event.turn = row.turn;
  if (row.step !== null) event.step = row.step;
  if (row.attempt !== null) event.attempt = row.attempt;
  if (row.idempotency_key !== null) event.idempotencyKey = row.idempotency_key;
  if (row.traceparent !== null) event.traceparent = row.traceparent;
  if (row.body !== null) event.body = JSON.parse(row.body) as Json;
  if (row.blob !== null) event.blob = JSON.parse(row.blob) as NonNullable<SessionEvent["blob"]>;
  return event;
}

/** The values of a new event's row after `session` and `seq`, in the order of the table. */
export function eventColumns(event: NewEvent, fence: string): unknown[] {
  return [
    event.id,
    event.type,
    event.at,
    fence,
    event.turn,
    event.step,
    event.attempt,
    event.idempotencyKey,
    event.traceparent,
    event.schemaVersion,
    event.body === undefined ? undefined : JSON.stringify(event.body),
    event.blob === undefined ? undefined : JSON.stringify(event.blob),
  ];
}
