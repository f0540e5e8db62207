import { GatewayError } from "../errors.ts";
import type { ApiKeyRecord, CallRecord, GatewayStore, TargetRecord } from "../gateway-store.ts";
import { migrate, type SqliteDatabase } from "../internal/sqlite.ts";
import { schema } from "./schema.ts";

interface Row {
  readonly record: string;
}

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
    const [record] = this.#all<ApiKeyRecord>("SELECT record FROM gateway_keys WHERE id = ?", [id]);
    return record;
  }

  async deleteKey(tenant: string, id: string): Promise<void> {
    this.#run("DELETE FROM gateway_keys WHERE tenant = ? AND id = ?", [tenant, id]);
  }

  async saveTarget(record: TargetRecord): Promise<void> {
    this.#run(
      "INSERT INTO gateway_targets VALUES (?, ?, ?) ON CONFLICT (tenant, name) DO UPDATE SET record = excluded.record",
      [record.tenant, record.name, JSON.stringify(record)],
    );
  }

  async targets(tenant: string): Promise<readonly TargetRecord[]> {
    return this.#all("SELECT record FROM gateway_targets WHERE tenant = ? ORDER BY name", [tenant]);
  }

  async deleteTarget(tenant: string, name: string): Promise<void> {
    this.#run("DELETE FROM gateway_targets WHERE tenant = ? AND name = ?", [tenant, name]);
  }

  async claimCall(record: CallRecord): Promise<CallRecord> {
    const { tenant, id, claim, claimedAt, expiresAt } = record;
    return this.#guarded(() =>
      this.#database
        .transaction(() => {
          this.#run("DELETE FROM gateway_calls WHERE expires_at <= ?", [claimedAt]);
          this.#run("INSERT INTO gateway_calls VALUES (?, ?, ?, ?, ?) ON CONFLICT (tenant, id) DO NOTHING", [
            tenant,
            id,
            claim,
            expiresAt,
            JSON.stringify(record),
          ]);
          const [kept] = this.#all<CallRecord>("SELECT record FROM gateway_calls WHERE tenant = ? AND id = ?", [
            tenant,
            id,
          ]);
          return kept ?? record;
        })
        .immediate(),
    );
  }

  async settleCall(record: CallRecord): Promise<boolean> {
    const { tenant, id, claim, expiresAt } = record;
    const written = this.#run(
      "UPDATE gateway_calls SET expires_at = ?, record = ? WHERE tenant = ? AND id = ? AND claim = ?",
      [expiresAt, JSON.stringify(record), tenant, id, claim],
    );
    return written > 0;
  }

  async releaseCall(tenant: string, id: string, claim: string): Promise<void> {
    this.#run(
      `DELETE FROM gateway_calls
      WHERE tenant = ? AND id = ? AND claim = ? AND json_extract(record, '$.result') IS NULL`,
      [tenant, id, claim],
    );
  }

  async close(): Promise<void> {}

  #run(statement: string, parameters: readonly unknown[]): number {
    return this.#guarded(() => this.#database.prepare(statement).run(...parameters).changes);
  }

  #all<T>(statement: string, parameters: readonly unknown[]): readonly T[] {
    const rows = this.#guarded(() => this.#database.prepare(statement).all(...parameters) as readonly Row[]);
    return rows.map(({ record }) => JSON.parse(record) as T);
  }

  #guarded<T>(body: () => T): T {
    try {
      return body();
    } catch (cause) {
      if (GatewayError.is(cause)) throw cause;
      throw new GatewayError("GATEWAY_BACKEND_FAILED", "The gateway's database could not be used.", { cause });
    }
  }
}
