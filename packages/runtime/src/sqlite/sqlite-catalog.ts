import type { Catalog, CatalogEntry } from "../catalog.ts";
import { type CallContext, type Clock, type Json, type Page, systemClock } from "../dialect.ts";
import { conflict } from "../internal/catalog-errors.ts";
import { decodeCursor, pageOf, pageSize } from "../internal/paging.ts";
import type { SqliteDatabase } from "../internal/sqlite.ts";
import { Connection, type Durability } from "./connection.ts";
import { CATALOG_SCHEMA } from "./schema.ts";

export interface SqliteCatalogDeps {
  /** A better-sqlite3 `Database`; whoever opened it closes it. May be the session log's. WAL is switched on. */
  readonly database: SqliteDatabase;
  readonly clock?: Clock;
  /** Default `normal`. `full` holds for the whole connection. */
  readonly durability?: Durability;
}

interface Row {
  readonly kind: string;
  readonly name: string;
  readonly version: number;
  readonly at: number;
  readonly body: string;
}

const NAMED = "tenant = ? AND kind = ? AND name = ?";

const sources = {
  name: `SELECT last, newest FROM runtime_document_name WHERE ${NAMED}`,
  putName: "INSERT OR REPLACE INTO runtime_document_name VALUES (?, ?, ?, ?, ?)",
  forgetName: `UPDATE runtime_document_name SET newest = 0 WHERE ${NAMED}`,
  put: "INSERT INTO runtime_document VALUES (?, ?, ?, ?, ?, ?)",
  remove: `DELETE FROM runtime_document WHERE ${NAMED}`,
  newest: `SELECT kind, name, version, at, body FROM runtime_document WHERE ${NAMED} ORDER BY version DESC LIMIT 1`,
  version: `SELECT kind, name, version, at, body FROM runtime_document WHERE ${NAMED} AND version = ?`,
  versions: `
    SELECT kind, name, version, at, body FROM runtime_document WHERE ${NAMED} AND version < ?
    ORDER BY version DESC LIMIT ?`,
  list: `
    SELECT kind, name, version, at, body FROM runtime_document_name JOIN runtime_document USING (tenant, kind, name)
    WHERE tenant = ? AND kind = ? AND name > ? AND newest > 0 AND version = newest ORDER BY name LIMIT ?`,
  tenants: "SELECT DISTINCT tenant FROM runtime_document_name WHERE kind = ? AND newest > 0 ORDER BY tenant",
};

export class SqliteCatalog implements Catalog {
  readonly #connection: Connection;
  readonly #clock: Clock;

  constructor({ database, clock = systemClock, durability }: SqliteCatalogDeps) {
    this.#connection = new Connection("catalog", database, CATALOG_SCHEMA, durability);
    this.#clock = clock;
  }

  async put(
    { principal: { tenant } }: CallContext,
    kind: string,
    name: string,
    body: Json,
    { expected, history = true }: { readonly expected?: number; readonly history?: boolean } = {},
  ): Promise<CatalogEntry> {
    const text = JSON.stringify(body);
    return this.#connection.write(() => {
      const known = this.#connection.sql(sources.name).get(tenant, kind, name);
      const { last, newest } = (known as { last: number; newest: number } | undefined) ?? { last: 0, newest: 0 };
      if (expected !== undefined && expected !== newest) throw conflict(kind, name, expected, newest);
      const version = last + 1;
      const at = this.#clock.now();
      this.#connection.sql(sources.putName).run(tenant, kind, name, version, version);
      if (!history) this.#connection.sql(sources.remove).run(tenant, kind, name);
      this.#connection.sql(sources.put).run(tenant, kind, name, version, at, text);
      return { kind, name, version, at, body };
    });
  }

  async get(
    { principal: { tenant } }: CallContext,
    kind: string,
    name: string,
    version?: number,
  ): Promise<CatalogEntry | undefined> {
    const row = this.#connection.run(() =>
      version === undefined
        ? this.#connection.sql(sources.newest).get(tenant, kind, name)
        : this.#connection.sql(sources.version).get(tenant, kind, name, version),
    );
    return row === undefined ? undefined : entryOf(row as Row);
  }

  async list(
    { principal: { tenant } }: CallContext,
    kind: string,
    query: { readonly cursor?: string; readonly limit?: number } = {},
  ): Promise<Page<CatalogEntry>> {
    const limit = pageSize(query.limit);
    const after = query.cursor === undefined ? "" : decodeCursor(query.cursor);
    const rows = this.#connection.run(() =>
      this.#connection.sql(sources.list).all(tenant, kind, after, limit + 1),
    ) as Row[];
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
    const rows = this.#connection.run(() =>
      this.#connection.sql(sources.versions).all(tenant, kind, name, before, limit + 1),
    ) as Row[];
    return pageOf(rows, limit, entryOf, ({ version }) => String(version));
  }

  async delete({ principal: { tenant } }: CallContext, kind: string, name: string): Promise<void> {
    this.#connection.write(() => {
      this.#connection.sql(sources.remove).run(tenant, kind, name);
      this.#connection.sql(sources.forgetName).run(tenant, kind, name);
    });
  }

  async tenants(kind: string): Promise<readonly string[]> {
    const rows = this.#connection.run(() => this.#connection.sql(sources.tenants).all(kind)) as { tenant: string }[];
    return rows.map(({ tenant }) => tenant);
  }

  async close(): Promise<void> {
    this.#connection.close();
  }
}

const entryOf = ({ body, ...row }: Row): CatalogEntry => ({ ...row, body: JSON.parse(body) as Json });
