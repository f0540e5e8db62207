import { GatewayError } from "../errors.ts";
import type { ApiKeyRecord, GatewayStore } from "../gateway-store.ts";
import { migrate, type SqliteDatabase } from "../internal/sqlite.ts";
import { schema } from "./schema.ts";

/** Keeps its tables in a database that somebody else opened and will close. */
export class SqliteGatewayStore implements GatewayStore {
  readonly #database: SqliteDatabase;

  constructor({ database }: { readonly database: SqliteDatabase }) {
    migrate(database, schema);
    this.#database = database;
  }

  async saveKey(record: ApiKeyRecord): Promise<void> {
    this.#run("INSERT INTO gateway_keys VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record", [
      record.id,
      record.principal.tenant,
      JSON.stringify(record),
    ]);
  }

  async key(id: string): Promise<ApiKeyRecord | undefined> {
    const row = this.#guarded(() => this.#database.prepare("SELECT record FROM gateway_keys WHERE id = ?").get(id));
    return row === undefined ? undefined : (JSON.parse((row as { record: string }).record) as ApiKeyRecord);
  }

  async deleteKey(tenant: string, id: string): Promise<void> {
    this.#run("DELETE FROM gateway_keys WHERE tenant = ? AND id = ?", [tenant, id]);
  }

  async close(): Promise<void> {}

  #run(statement: string, parameters: readonly unknown[]): void {
    this.#guarded(() => this.#database.prepare(statement).run(...parameters));
  }

  #guarded<T>(body: () => T): T {
    try {
      return body();
    } catch (cause) {
      throw new GatewayError("GATEWAY_BACKEND_FAILED", "The gateway's database could not be used.", { cause });
    }
  }
}
