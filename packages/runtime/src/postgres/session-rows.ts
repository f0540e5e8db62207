import type { Json, Metadata } from "../dialect.ts";
import type { NewEvent, SessionEvent } from "../session-event.ts";
import type { SessionRecord, SessionStatus } from "../session-log.ts";

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** A row of `runtime_session`. */
export interface SessionRow {
  readonly number: string;
  readonly id: string;
  readonly tenant: string;
  readonly agent: string;
  readonly agent_version: string;
  readonly external_id: string | null;
  readonly parent: string | null;
  readonly status: SessionStatus;
  readonly metadata: Metadata;
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
    metadata: row.metadata,
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

/** A row of `runtime_event`; `event` is the JSON of a `NewEvent`. */
export interface EventRow {
  readonly seq: number;
  readonly fence: string;
  readonly event: string;
}

export const eventOf = ({ seq, fence, event }: EventRow, tenant: string, session: string): SessionEvent => ({
  ...(JSON.parse(event) as NewEvent),
  tenant,
  session,
  seq,
  fence,
});

/** What `runtime_append` reads: the event itself as text within JSON. */
export const eventsJson = (events: readonly NewEvent[]): string =>
  JSON.stringify(
    events.map((event) => ({ type: event.type, key: event.idempotencyKey, event: JSON.stringify(event) })),
  );
