import type { CallContext, Clock, IdSource, Metadata } from "../dialect.ts";
import { unknownAgent } from "../internal/session-errors.ts";
import type { SessionLog, SessionRecord } from "../session-log.ts";
import { type Agents, versionOf } from "./agents.ts";
import type { Journal } from "./journal.ts";
import { newState, type Parentage, writeState } from "./state.ts";

export interface OpeningDeps {
  readonly log: SessionLog;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly agents: Agents;
}

export interface Opening {
  readonly agent: string;
  readonly qualifier?: string;
  readonly externalId?: string;
  readonly metadata?: Metadata;
  readonly parent?: Parentage;
}

/** A new session of an agent, pinned to the version that its name and qualifier mean now; or the one with its external id. */
export async function openSession(
  { log, journal, ids, clock, agents }: OpeningDeps,
  context: CallContext,
  { agent: name, qualifier, externalId, metadata = {}, parent }: Opening,
): Promise<SessionRecord> {
  const agent = await agents.find(context, name, qualifier);
  if (agent === undefined) throw unknownAgent(name, qualifier);
  const agentVersion = versionOf(agent);
  const named = externalId === undefined ? {} : { externalId };
  const under = parent === undefined ? {} : { parent: parent.session };
  const { priority = 0, requires = [], expireAfterMs } = agent;
  const now = clock.now();
  const { record } = await log.create(context, {
    ...{ id: ids.next("ses"), agent: name, agentVersion, status: "idle", metadata, ...named, ...under },
    state: writeState({
      ...newState({ priority, requires: [...requires].sort() }),
      ...(parent === undefined ? {} : { parent }),
      ...(expireAfterMs === undefined ? {} : { idleSince: now }),
    }),
    ...(expireAfterMs === undefined ? {} : { wakeAt: now + expireAfterMs }),
    at: now,
    events: [journal.stamp({ type: "session.created", body: { agent: name, agentVersion, ...named, ...under } })],
  });
  return record;
}
