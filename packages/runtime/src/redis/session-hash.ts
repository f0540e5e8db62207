import type { Json, Metadata } from "../dialect.ts";
import type { NewEvent, SessionEvent } from "../session-event.ts";
import type { NewSession, SessionRecord, SessionStatus } from "../session-log.ts";

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Fields and values of a record's hash as a script gives them. */
export function fieldsOf(flat: readonly string[]): Readonly<Record<string, string>> {
  const fields: Record<string, string> = {};
  for (let at = 0; at < flat.length; at += 2) fields[flat[at] as string] = flat[at + 1] as string;
  return fields;
}

export function recordOf(id: string, fields: Readonly<Record<string, string>>): SessionRecord {
  const { externalId, parent, archivedAt, fence, owner, wakeAt } = fields;
  const record: Mutable<SessionRecord> = {
    id,
    tenant: fields.tenant ?? "",
    agent: fields.agent ?? "",
    agentVersion: fields.agentVersion ?? "",
    status: fields.status as SessionStatus,
    metadata: JSON.parse(fields.metadata ?? "{}") as Metadata,
    state: JSON.parse(fields.state ?? "null") as Json,
    createdAt: Number(fields.createdAt),
    updatedAt: Number(fields.updatedAt),
    head: Number(fields.head),
  };
  if (externalId !== undefined) record.externalId = externalId;
  if (parent !== undefined) record.parent = parent;
  if (archivedAt !== undefined) record.archivedAt = Number(archivedAt);
  if (fence !== undefined) record.fence = fence;
  if (owner !== undefined) record.owner = owner;
  if (wakeAt !== undefined) record.wakeAt = Number(wakeAt);
  return record;
}

/** What `create` sets; the script adds the head and the wake. */
export const hashOf = (tenant: string, session: NewSession): string[] => [
  ...["tenant", tenant, "agent", session.agent, "agentVersion", session.agentVersion, "status", session.status],
  ...["metadata", JSON.stringify(session.metadata), "state", JSON.stringify(session.state)],
  ...["createdAt", String(session.at), "updatedAt", String(session.at)],
  ...(session.externalId === undefined ? [] : ["externalId", session.externalId]),
  ...(session.parent === undefined ? [] : ["parent", session.parent]),
];

/** Key and body of each event, as the scripts take them. */
export const eventArguments = (events: readonly NewEvent[]): string[] =>
  events.flatMap((event) => [event.idempotencyKey ?? "", JSON.stringify(event)]);

export const eventOf = (seq: number, fence: string, event: string, tenant: string, session: string): SessionEvent => ({
  ...(JSON.parse(event) as NewEvent),
  tenant,
  session,
  seq,
  fence,
});
