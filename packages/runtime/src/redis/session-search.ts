import type { SessionQuery, SessionRecord } from "../session-log.ts";
import type { Partition } from "./partitions.ts";
import type { RedisClient } from "./redis-client.ts";
import { recordOf } from "./session-hash.ts";

/** Names are encoded, so that none can hold the bar that ends it. */
const byAgent = (agent: string) => `a:${encodeURIComponent(agent)}|`;
const byParent = (parent: string) => `p:${encodeURIComponent(parent)}|`;

/** What a session is found by, besides its status, which the scripts keep themselves. */
export const fixedEntries = ({ id, agent, parent }: Pick<SessionRecord, "id" | "agent" | "parent">): string[] => [
  `*|${id}`,
  byAgent(agent) + id,
  ...(parent === undefined ? [] : [byParent(parent) + id]),
];

export const statusEntry = (status: string, id: string): string => `s:${status}|${id}`;

/** The list that is likely the shortest of those that hold all that is asked for. */
function listOf({ status, agent, parent }: SessionQuery): string {
  if (parent !== undefined) return byParent(parent);
  if (status !== undefined && status !== "idle" && status !== "ended") return `s:${status}|`;
  if (agent !== undefined) return byAgent(agent);
  return status === undefined ? "*|" : `s:${status}|`;
}

export function fits(record: SessionRecord, query: SessionQuery): boolean {
  const { status, agent, externalId, parent, metadata = {}, archived = false } = query;
  return (
    (status === undefined || record.status === status) &&
    (agent === undefined || record.agent === agent) &&
    (externalId === undefined || record.externalId === externalId) &&
    (parent === undefined || record.parent === parent) &&
    (record.archivedAt !== undefined) === archived &&
    Object.entries(metadata).every(([key, value]) => record.metadata[key] === value)
  );
}

/** The sessions of one partition that fit, newest first, read as far as they are asked for. */
export async function* search(
  client: RedisClient,
  partition: Partition,
  tenant: string,
  query: SessionQuery,
  before: string | undefined,
  pageSize: number,
): AsyncGenerator<SessionRecord> {
  const list = listOf(query);
  const end = `(${list.slice(0, -1)}}`;
  let from = before === undefined ? end : `(${list}${before}`;
  for (;;) {
    const entries = await client.zrevrangebylex(partition.index(tenant), from, `[${list}`, "LIMIT", 0, pageSize);
    const ids = entries.map((entry) => entry.slice(list.length));
    const records = await Promise.all(ids.map((id) => client.hgetall(partition.session(id).record)));
    for (const [index, id] of ids.entries()) {
      const fields = records[index] ?? {};
      if (fields.tenant !== tenant) continue;
      const record = recordOf(id, fields);
      if (fits(record, query)) yield record;
    }
    if (entries.length < pageSize) return;
    from = `(${entries.at(-1)}`;
  }
}

/** One order out of several that are each in order. */
export async function* merged<T>(
  sources: readonly AsyncIterator<T>[],
  first: (a: T, b: T) => boolean,
): AsyncGenerator<T> {
  const heads = await Promise.all(sources.map((source) => source.next()));
  for (;;) {
    let at = -1;
    for (const [index, head] of heads.entries()) {
      if (head.done) continue;
      const best = heads[at];
      if (best === undefined || best.done || first(head.value, best.value)) at = index;
    }
    const head = heads[at];
    if (head === undefined || head.done) return;
    yield head.value;
    heads[at] = await (sources[at] as AsyncIterator<T>).next();
  }
}
