import type { ApprovalAnswer, ApprovalRecord, ApprovalStore } from "../approval-store.ts";
import type { Page } from "../dialect.ts";
import { guarded } from "./guarded.ts";
import type { RedisClient } from "./redis-client.ts";

/**
 * Per tenant: records and answers by id, what waits by when it was asked, and all by when it ends. The keys of one
 * tenant share a slot of a cluster.
 */
const HOLD = `
local records, answers, waiting, ends = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, at, keptMs = ARGV[1], ARGV[2], tonumber(ARGV[5])
local over = redis.call('ZRANGEBYSCORE', ends, '-inf', at, 'LIMIT', 0, 100)
if tonumber(redis.call('ZSCORE', ends, id) or at) <= tonumber(at) then table.insert(over, id) end
for _, each in ipairs(over) do
  redis.call('HDEL', records, each)
  redis.call('HDEL', answers, each)
  redis.call('ZREM', waiting, each)
  redis.call('ZREM', ends, each)
end
if redis.call('HSETNX', records, id, ARGV[4]) == 1 then
  redis.call('ZADD', waiting, at, id)
  redis.call('ZADD', ends, ARGV[3], id)
  for _, key in ipairs(KEYS) do
    if redis.call('PTTL', key) < keptMs then redis.call('PEXPIRE', key, keptMs) end
  end
end
return { redis.call('HGET', records, id), redis.call('HGET', answers, id) }
`;
const OPEN = `
local records, waiting, ends = KEYS[1], KEYS[3], KEYS[4]
local now, from, after, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local found, seen = {}, 0
while #found < wanted do
  local ids = redis.call('ZRANGEBYSCORE', waiting, from, '+inf', 'WITHSCORES', 'LIMIT', seen, 100)
  if #ids == 0 then break end
  for each = 1, #ids, 2 do
    seen = seen + 1
    local past = tonumber(ids[each + 1]) == from and ids[each] <= after
    if #found < wanted and not past and tonumber(redis.call('ZSCORE', ends, ids[each]) or 0) > now then
      table.insert(found, redis.call('HGET', records, ids[each]))
    end
  end
end
return found
`;
const ANSWER = `
local answers, waiting, ends = KEYS[2], KEYS[3], KEYS[4]
if tonumber(redis.call('ZSCORE', ends, ARGV[1]) or 0) <= tonumber(ARGV[2]) then return 0 end
if redis.call('HSETNX', answers, ARGV[1], ARGV[3]) == 0 then return 0 end
if redis.call('PTTL', answers) < redis.call('PTTL', ends) then
  redis.call('PEXPIRE', answers, redis.call('PTTL', ends))
end
redis.call('ZREM', waiting, ARGV[1])
return 1
`;
const TAKE = `
local answer = redis.call('HGET', KEYS[2], ARGV[1])
if not answer then return false end
local record = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
return { record, answer }
`;
const LATE_MS = 60_000;

type Kept = readonly [record: string, answer: string | null];

/** Calls that wait, for all gateways that share a Redis; over a client that somebody else opened and will close. */
export class RedisApprovalStore implements ApprovalStore {
  readonly #client: RedisClient;
  readonly #prefix: string;

  constructor({
    client,
    prefix = "ashlar:gateway:approval:",
  }: { readonly client: RedisClient; readonly prefix?: string }) {
    this.#client = client;
    this.#prefix = prefix;
  }

  async hold(record: ApprovalRecord): Promise<ApprovalRecord> {
    const { id, principal, requestedAt, expiresAt } = record;
    const keptMs = Math.max(0, expiresAt - requestedAt) + LATE_MS;
    const args = [id, requestedAt, expiresAt, JSON.stringify(record), keptMs];
    return recordOf((await this.#run(HOLD, principal.tenant, args)) as Kept);
  }

  async open(
    tenant: string,
    { now, cursor, limit = 100 }: { readonly now: number; readonly cursor?: string; readonly limit?: number },
  ): Promise<Page<ApprovalRecord>> {
    const split = cursor?.indexOf(":") ?? 0;
    const from = cursor === undefined ? 0 : Number(cursor.slice(0, split));
    const after = cursor?.slice(split + 1) ?? "";
    const found = (await this.#run(OPEN, tenant, [now, from, after, limit + 1])) as readonly string[];
    const items = found.slice(0, limit).map((record) => JSON.parse(record) as ApprovalRecord);
    const last = items.at(-1);
    return {
      items,
      ...(last === undefined || found.length <= limit ? {} : { cursor: `${last.requestedAt}:${last.id}` }),
    };
  }

  async answer(tenant: string, id: string, answer: ApprovalAnswer): Promise<boolean> {
    return (await this.#run(ANSWER, tenant, [id, answer.at, JSON.stringify(answer)])) === 1;
  }

  async take(tenant: string, id: string): Promise<ApprovalRecord | undefined> {
    const taken = (await this.#run(TAKE, tenant, [id])) as Kept | null;
    return taken === null ? undefined : recordOf(taken);
  }

  async close(): Promise<void> {}

  #run(script: string, tenant: string, args: readonly (string | number)[]): Promise<unknown> {
    const tag = Buffer.from(tenant).toString("base64url");
    const keys = ["records", "answers", "waiting", "ends"].map((name) => `${this.#prefix}{${tag}}:${name}`);
    return guarded(this.#client.eval(script, keys.length, ...keys, ...args), "store");
  }
}

function recordOf([record, answer]: Kept): ApprovalRecord {
  const kept = JSON.parse(record) as ApprovalRecord;
  return answer === null ? kept : { ...kept, answer: JSON.parse(answer) as ApprovalAnswer };
}
