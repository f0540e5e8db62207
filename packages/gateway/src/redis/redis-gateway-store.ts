import { GatewayError } from "../errors.ts";
import type { ApiKeyRecord, GatewayStore } from "../gateway-store.ts";
import type { RedisClient } from "./redis-client.ts";

const DELETE =
  "if redis.call('HGET', KEYS[1], 'tenant') == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/** Keeps one hash per key, over a client that somebody else opened and will close. */
export class RedisGatewayStore implements GatewayStore {
  readonly #client: RedisClient;
  readonly #prefix: string;

  constructor({ client, prefix = "ashlar:gateway:key:" }: { readonly client: RedisClient; readonly prefix?: string }) {
    this.#client = client;
    this.#prefix = prefix;
  }

  async saveKey(record: ApiKeyRecord): Promise<void> {
    const { id, principal } = record;
    await guarded(this.#client.hset(this.#prefix + id, "tenant", principal.tenant, "record", JSON.stringify(record)));
  }

  async key(id: string): Promise<ApiKeyRecord | undefined> {
    const { record } = await guarded(this.#client.hgetall(this.#prefix + id));
    return record === undefined ? undefined : (JSON.parse(record) as ApiKeyRecord);
  }

  async deleteKey(tenant: string, id: string): Promise<void> {
    await guarded(this.#client.eval(DELETE, 1, this.#prefix + id, tenant));
  }

  async close(): Promise<void> {}
}

async function guarded<T>(command: Promise<T>): Promise<T> {
  try {
    return await command;
  } catch (cause) {
    throw new GatewayError("GATEWAY_BACKEND_FAILED", "Redis did not answer the gateway's store.", { cause });
  }
}
