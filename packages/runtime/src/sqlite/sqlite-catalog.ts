import type { Catalog, CatalogEntry } from "../catalog.ts";
import { type CallContext, type Clock, type Json, type Page, systemClock } from "../dialect.ts";
import { conflict } from "../internal/catalog-errors.ts";
import { backend } from "../internal/driver-errors.ts";
import { decodeCursor, pageOf, pageSize } from "../internal/paging.ts";
import { migrate, type SqliteDatabase } from "../internal/sqlite.ts";
import { CATALOG_SCHEMA, type Durability, prepareDatabase } from "./schema.ts";

export interface SqliteCatalogDeps {
  readonly database: SqliteDatabase;
  readonly clock?: Clock;
  readonly durability?: Durability;
}

interface Row {
  readonly kind: string;
  readonly name: string;
  readonly version: number;
  readonly at: number;
  readonly body: string;
}

const COLUMNS = "runtime_document.kind, runtime_document.name, version, at, body";

export class SqliteCatalog implements Catalog {
  readonly #database: SqliteDatabase;
  readonly #clock: Clock;

  constructor({ database, clock = systemClock, durability = "normal" }: SqliteCatalogDeps) {
    this.#database = database;
    this.#clock = clock;
    prepareDatabase(database, durability);
    migrate(database, CATALOG_SCHEMA);
  }

  async put(
    { principal: { tenant } }: CallContext,
    kind: string,
    name: string,
    body: Json,
    { expected, history = true }: { readonly expected?: number; readonly history?: boolean } = {},
  ): Promise<CatalogEntry> {
    const write = this.#database.transaction((): CatalogEntry => {
      const row = this.#database
        .prepare("SELECT last, newest FROM runtime_document_name WHERE tenant = ? AND kind = ? AND name = ?")
        .get(tenant, kind, name) as { last: number; newest: number } | undefined;
      const newest = row?.newest ?? 0;
      if (expected !== undefined && expected !== newest) throw conflict(kind, name, expected, newest);
      const entry = { kind, name, version: (row?.last ?? 0) + 1, at: this.#clock.now(), body };
      this.#database
        .prepare("INSERT OR REPLACE INTO runtime_document_name VALUES (?, ?, ?, ?, ?)")
        .run(tenant, kind, name, entry.version, entry.version);
      if (!history) {
        this.#database
          .prepare("DELETE FROM runtime_document WHERE tenant = ? AND kind = ? AND name = ?")
          .run(tenant, kind, name);
      }
      this.#database
        .prepare("INSERT INTO runtime_document VALUES (?, ?, ?, ?, ?, ?)")
        .run(tenant, kind, name, entry.version, entry.at, JSON.stringify(body));
      return entry;
    });
    return backend("catalog", () => write.immediate());
  }

  async get(
    { principal: { tenant } }: CallContext,
    kind: string,
    name: string,
    version?: number,
  ): Promise<CatalogEntry | undefined> {
    const row = this.#database
      .prepare(
        `SELECT ${COLUMNS} FROM runtime_document_name JOIN runtime_document USING (tenant, kind, name)
         WHERE tenant = ? AND kind = ? AND name = ? AND version = coalesce(?, newest)`,
      )
      .get(tenant, kind, name, version ?? null) as Row | undefined;
    return row === undefined ? undefined : entryOf(row);
  }

  async list(
    { principal: { tenant } }: CallContext,
    kind: string,
    query: { readonly cursor?: string; readonly limit?: number } = {},
  ): Promise<Page<CatalogEntry>> {
    const limit = pageSize(query.limit);
    const rows = this.#database
      .prepare(
        `SELECT ${COLUMNS} FROM runtime_document_name JOIN runtime_document USING (tenant, kind, name)
         WHERE tenant = ? AND kind = ? AND name > ? AND newest > 0 AND version = newest ORDER BY name LIMIT ?`,
      )
      .all(tenant, kind, query.cursor === undefined ? "" : decodeCursor(query.cursor), limit + 1) as Row[];
    return pageOf(rows, limit, entryOf, ({ name }) => name);
  }

  async versions(
    { principal: { tenant } }: CallContext,
    kind: string,
    name: string,
    query: { readonly cursor?: string; readonly limit?: number } = {},
  ): Promise<Page<CatalogEntry>> {
    const limit = pageSize(query.limit);
    const before = query.cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(decodeCursor(query.cursor));
    const rows = this.#database
      .prepare(
        `SELECT ${COLUMNS} FROM runtime_document WHERE tenant = ? AND kind = ? AND name = ? AND version < ?
         ORDER BY version DESC LIMIT ?`,
      )
      .all(tenant, kind, name, before, limit + 1) as Row[];
    return pageOf(rows, limit, entryOf, ({ version }) => String(version));
  }

  async delete({ principal: { tenant } }: CallContext, kind: string, name: string): Promise<void> {
    const remove = this.#database.transaction(() => {
      const key = [tenant, kind, name];
      this.#database.prepare("DELETE FROM runtime_document WHERE tenant = ? AND kind = ? AND name = ?").run(...key);
      this.#database
        .prepare("UPDATE runtime_document_name SET newest = 0 WHERE tenant = ? AND kind = ? AND name = ?")
        .run(...key);
    });
    backend("catalog", () => remove.immediate());
  }

  async tenants(kind: string): Promise<readonly string[]> {
    const rows = this.#database
      .prepare("SELECT DISTINCT tenant FROM runtime_document_name WHERE kind = ? AND newest > 0 ORDER BY tenant")
      .all(kind) as { tenant: string }[];
    return rows.map(({ tenant }) => tenant);
  }

  async close(): Promise<void> {}
}

const entryOf = ({ body, ...row }: Row): CatalogEntry => ({ ...row, body: JSON.parse(body) });
