import { type Clock, type Json, type Page, systemClock } from "../dialect.ts";
import { IdentityError } from "../errors.ts";
import type { IdentityStore, RecordKind, RecordWrite, StoredRecord } from "../identity-store.ts";
import { failed } from "../internal/backend.ts";
import type { RedisClient } from "./redis-client.ts";
import { indexKey, PUT, recordKey, TAKE, tenantsKey } from "./schema.ts";

export interface RedisIdentityStoreDeps {
  /** Taken, never closed. Let it write to disk before it answers (`appendfsync always`) where records must survive. */
  readonly redis: RedisClient;
  readonly clock?: Clock;
  /** Before every key. Default `ashlar:identity:`. */
  readonly prefix?: string;
}

/** `v`: version, `b`: body as JSON text (Lua would turn an empty list into an object), `e`: expiry. */
interface Stored {
  readonly v: number;
  readonly b: string;
  readonly e?: number;
}

/** Beyond its expiry a record is kept this long, since the clock of the reader decides, not the server's. */
const SLACK_MS = 3_600_000;

/** Records as JSON strings in Redis, written by Lua scripts that compare versions. */
export class RedisIdentityStore implements IdentityStore {
  readonly #redis: RedisClient;
  readonly #clock: Clock;
  readonly #prefix: string;
  #closed = false;

  constructor({ redis, clock = systemClock, prefix = "ashlar:identity:" }: RedisIdentityStoreDeps) {
    this.#redis = redis;
    this.#clock = clock;
    this.#prefix = prefix;
  }

  async get(tenant: string, kind: RecordKind, id: string): Promise<StoredRecord | undefined> {
    return this.#live(id, await this.#run(() => this.#redis.get(recordKey(this.#prefix, tenant, kind, id))));
  }

  async getMany(
    tenant: string,
    kind: RecordKind,
    ids: readonly string[],
  ): Promise<readonly (StoredRecord | undefined)[]> {
    const values = await this.#texts(tenant, kind, ids);
    return ids.map((id, at) => this.#live(id, values[at] ?? null));
  }

  async put(tenant: string, kind: RecordKind, id: string, write: RecordWrite): Promise<StoredRecord | undefined> {
    const { body, expected, expiresAt } = write;
    const now = this.#clock.now();
    const stored: Stored = { v: expected + 1, b: JSON.stringify(body), ...(expiresAt && { e: expiresAt }) };
    const keep = expiresAt === undefined ? "" : String(Math.max(0, expiresAt - now) + SLACK_MS);
    const done = await this.#run(async () => {
      await this.#redis.sadd(tenantsKey(this.#prefix, kind), tenant);
      const keys = [recordKey(this.#prefix, tenant, kind, id), indexKey(this.#prefix, tenant, kind)] as const;
      return this.#redis.eval(PUT, 2, ...keys, expected, JSON.stringify(stored), id, now, keep);
    });
    return done === 1 ? this.#record(id, stored) : undefined;
  }

  async take(tenant: string, kind: RecordKind, id: string): Promise<StoredRecord | undefined> {
    const keys = [recordKey(this.#prefix, tenant, kind, id), indexKey(this.#prefix, tenant, kind)] as const;
    return this.#live(id, (await this.#run(() => this.#redis.eval(TAKE, 2, ...keys, id))) as string | null);
  }

  async list(
    tenant: string,
    kind: RecordKind,
    { prefix = "", cursor, limit = 100 }: { prefix?: string; cursor?: string; limit?: number } = {},
  ): Promise<Page<StoredRecord>> {
    const index = indexKey(this.#prefix, tenant, kind);
    const items: StoredRecord[] = [];
    let from = cursor !== undefined && cursor >= prefix ? `(${cursor}` : `[${prefix}`;
    for (;;) {
      const ids = await this.#run(() => this.#redis.zrangebylex(index, from, `[${prefix}\xff`, "LIMIT", 0, limit + 1));
      if (ids.length === 0) return { items };
      const values = await this.#texts(tenant, kind, ids);
      for (const [at, id] of ids.entries()) {
        const value = values[at] ?? null;
        const found = this.#live(id, value);
        const last = items.at(-1);
        if (found && items.length === limit && last) return { items, cursor: last.id };
        if (found) items.push(found);
        else if (value === null) await this.#run(() => this.#redis.zrem(index, id));
      }
      from = `(${ids.at(-1)}`;
    }
  }

  async tenants(kind: RecordKind): Promise<readonly string[]> {
    return (await this.#run(() => this.#redis.smembers(tenantsKey(this.#prefix, kind)))).sort();
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  async #texts(tenant: string, kind: RecordKind, ids: readonly string[]): Promise<readonly (string | null)[]> {
    if (ids.length === 0) return [];
    return this.#run(() => this.#redis.mget(ids.map((id) => recordKey(this.#prefix, tenant, kind, id))));
  }

  #live(id: string, text: string | null): StoredRecord | undefined {
    if (text === null) return undefined;
    const record = this.#record(id, JSON.parse(text) as Stored);
    return record.expiresAt !== undefined && record.expiresAt <= this.#clock.now() ? undefined : record;
  }

  #record(id: string, { v, b, e }: Stored): StoredRecord {
    return { id, version: v, body: JSON.parse(b) as Json, ...(e === undefined ? {} : { expiresAt: e }) };
  }

  async #run<T>(body: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new IdentityError("IDENTITY_CLOSED", "This identity store is closed.");
    try {
      return await body();
    } catch (error) {
      throw failed("Redis", error);
    }
  }
}
