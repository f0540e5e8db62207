import type { ApiKeyRecord, CallRecord, GatewayStore, TargetRecord } from "../gateway-store.ts";
import { guarded } from "./guarded.ts";
import type { RedisClient } from "./redis-client.ts";

const DELETE_KEY =
  "if redis.call('HGET', KEYS[1], 'tenant') == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/** Whether a record has expired is said by whoever claims; Redis itself only clears away, somewhat later. */
const CLAIM = `
local ends = tonumber(redis.call('HGET', KEYS[1], 'expiresAt') or 0)
if ends > tonumber(ARGV[1]) then return redis.call('HGET', KEYS[1], 'record') end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'expiresAt', ARGV[2], 'claim', ARGV[3], 'record', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return ARGV[4]
`;
const SETTLE = `
if redis.call('HGET', KEYS[1], 'claim') ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[1], 'expiresAt', ARGV[2], 'settled', '1', 'record', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
`;
const RELEASE = `
if redis.call('HGET', KEYS[1], 'claim') ~= ARGV[1] or redis.call('HEXISTS', KEYS[1], 'settled') == 1 then return 0 end
return redis.call('DEL', KEYS[1])
`;
const LATE_MS = 60_000;

/** One hash per key, per call and per tenant's targets, over a client that somebody else opened and will close. */
export class RedisGatewayStore implements GatewayStore {
  readonly #client: RedisClient;
  readonly #prefix: string;

  constructor({ client, prefix = "ashlar:gateway:" }: { readonly client: RedisClient; readonly prefix?: string }) {
    this.#client = client;
    this.#prefix = prefix;
  }

  async saveKey(record: ApiKeyRecord): Promise<void> {
    const { id, principal } = record;
    const fields = ["tenant", principal.tenant, "record", JSON.stringify(record)];
    await guarded(this.#client.hset(this.#keyAt(id), ...fields), "store");
  }

  async key(id: string): Promise<ApiKeyRecord | undefined> {
    const { record } = await guarded(this.#client.hgetall(this.#keyAt(id)), "store");
    return record === undefined ? undefined : (JSON.parse(record) as ApiKeyRecord);
  }

  async deleteKey(tenant: string, id: string): Promise<void> {
    await guarded(this.#client.eval(DELETE_KEY, 1, this.#keyAt(id), tenant), "store");
  }

  async saveTarget(record: TargetRecord): Promise<void> {
    await guarded(this.#client.hset(this.#targetsAt(record.tenant), record.name, JSON.stringify(record)), "store");
  }

  async targets(tenant: string): Promise<readonly TargetRecord[]> {
    const all = await guarded(this.#client.hgetall(this.#targetsAt(tenant)), "store");
    const records = Object.values(all).map((record) => JSON.parse(record) as TargetRecord);
    return records.sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  async deleteTarget(tenant: string, name: string): Promise<void> {
    await guarded(this.#client.hdel(this.#targetsAt(tenant), name), "store");
  }

  async claimCall(record: CallRecord): Promise<CallRecord> {
    return JSON.parse((await this.#write(CLAIM, record)) as string) as CallRecord;
  }

  async settleCall(record: CallRecord): Promise<boolean> {
    return (await this.#write(SETTLE, record)) === 1;
  }

  async releaseCall(tenant: string, id: string, claim: string): Promise<void> {
    await guarded(this.#client.eval(RELEASE, 1, this.#callAt(tenant, id), claim), "store");
  }

  async close(): Promise<void> {}

  #write(script: string, record: CallRecord): Promise<unknown> {
    const { tenant, id, claim, claimedAt, expiresAt } = record;
    const keptMs = Math.max(0, expiresAt - claimedAt) + LATE_MS;
    const args = [claimedAt, expiresAt, claim, JSON.stringify(record), keptMs];
    return guarded(this.#client.eval(script, 1, this.#callAt(tenant, id), ...args), "store");
  }

  #keyAt(id: string): string {
    return `${this.#prefix}key:${id}`;
  }

  #targetsAt(tenant: string): string {
    return `${this.#prefix}targets:${tenant}`;
  }

  #callAt(tenant: string, id: string): string {
    return `${this.#prefix}call:${JSON.stringify([tenant, id])}`;
  }
}
