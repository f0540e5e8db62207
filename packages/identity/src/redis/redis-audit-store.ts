import type { AuditRow, AuditStore } from "../audit-store.ts";
import { IdentityError } from "../errors.ts";
import { failed } from "../internal/backend.ts";
import type { RedisClient } from "./redis-client.ts";
import { APPEND, auditKey } from "./schema.ts";

export interface RedisAuditStoreDeps {
  /** Taken, never closed. Let it write to disk before it answers (`appendfsync always`): an audit must survive. */
  readonly redis: RedisClient;
  /** Before every key. Default `ashlar:identity:`. */
  readonly prefix?: string;
}

/** Audit rows in one list per tenant. */
export class RedisAuditStore implements AuditStore {
  readonly #redis: RedisClient;
  readonly #prefix: string;
  #closed = false;

  constructor({ redis, prefix = "ashlar:identity:" }: RedisAuditStoreDeps) {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  async head(tenant: string): Promise<AuditRow | undefined> {
    const [text] = await this.#run(() => this.#redis.lrange(auditKey(this.#prefix, tenant), -1, -1));
    return text === undefined ? undefined : (JSON.parse(text) as AuditRow);
  }

  async append(row: AuditRow): Promise<boolean> {
    const key = auditKey(this.#prefix, row.tenant);
    return (await this.#run(() => this.#redis.eval(APPEND, 1, key, row.seq, JSON.stringify(row)))) === 1;
  }

  async read(
    tenant: string,
    { after = 0, limit = 500 }: { after?: number; limit?: number } = {},
  ): Promise<readonly AuditRow[]> {
    if (limit <= 0) return [];
    const key = auditKey(this.#prefix, tenant);
    const rows = await this.#run(() => this.#redis.lrange(key, after, after + limit - 1));
    return rows.map((text) => JSON.parse(text) as AuditRow);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  async #run<T>(body: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new IdentityError("IDENTITY_CLOSED", "This audit store is closed.");
    try {
      return await body();
    } catch (error) {
      throw failed("Redis", error);
    }
  }
}
