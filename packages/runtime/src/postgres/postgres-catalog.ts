import type { Catalog, CatalogEntry } from "../catalog.ts";
import { type CallContext, type Clock, type Json, type Page, systemClock } from "../dialect.ts";
import { conflict } from "../internal/catalog-errors.ts";
import { decodeCursor, pageOf, pageSize } from "../internal/paging.ts";
import { Connection } from "./connection.ts";
import type { PostgresPool } from "./postgres-client.ts";
import { CATALOG_SCHEMA } from "./schema.ts";

export interface PostgresCatalogDeps {
  /** A `Pool` of pg, which may be the session log's; whoever opened it closes it. */
  readonly pool: PostgresPool;
  readonly clock?: Clock;
}

interface Row {
  readonly kind: string;
  readonly name: string;
  readonly version: number;
  readonly at: number;
  readonly body: string;
}

const NAMED = "tenant = $1 AND kind = $2 AND name = $3";
const ENTRY = "SELECT kind, name, version, at, body FROM runtime_document";

const sources = {
  put: `
    WITH named AS (
      INSERT INTO runtime_document_name AS known
      SELECT $1, $2, $3, 1, 1
      WHERE coalesce($4, 0) = 0 OR EXISTS (SELECT FROM runtime_document_name WHERE ${NAMED})
      ON CONFLICT (tenant, kind, name) DO UPDATE SET last = known.last + 1, newest = known.last + 1
      WHERE $4 IS NULL OR known.newest = $4
      RETURNING last),
    forgotten AS (DELETE FROM runtime_document USING named WHERE NOT $5::boolean AND ${NAMED})
    INSERT INTO runtime_document SELECT $1, $2, $3, last, $6, $7 FROM named RETURNING version`,
  newestVersion: `SELECT newest FROM runtime_document_name WHERE ${NAMED}`,
  lock: `SELECT FROM runtime_document_name WHERE ${NAMED} FOR UPDATE`,
  forget: `UPDATE runtime_document_name SET newest = 0 WHERE ${NAMED}`,
  remove: `DELETE FROM runtime_document WHERE ${NAMED}`,
  newest: `${ENTRY} WHERE ${NAMED} ORDER BY version DESC LIMIT 1`,
  version: `${ENTRY} WHERE ${NAMED} AND version = $4`,
  versions: `${ENTRY} WHERE ${NAMED} AND version < $4 ORDER BY version DESC LIMIT $5`,
  list: `
    SELECT kind, name, version, at, body FROM runtime_document_name JOIN runtime_document USING (tenant, kind, name)
    WHERE tenant = $1 AND kind = $2 AND name > $3 AND newest > 0 AND version = newest ORDER BY name LIMIT $4`,
  tenants: "SELECT DISTINCT tenant FROM runtime_document_name WHERE kind = $1 AND newest > 0 ORDER BY tenant",
};

export class PostgresCatalog implements Catalog {
  readonly #connection: Connection;
  readonly #clock: Clock;

  constructor({ pool, clock = systemClock }: PostgresCatalogDeps) {
    this.#connection = new Connection("catalog", pool, CATALOG_SCHEMA);
    this.#clock = clock;
  }

  async put(
    { principal: { tenant } }: CallContext,
    kind: string,
    name: string,
    body: Json,
    { expected, history = true }: { readonly expected?: number; readonly history?: boolean } = {},
  ): Promise<CatalogEntry> {
    const at = this.#clock.now();
    const put = await this.#connection.row<{ version: number }>(
      sources.put,
      ...[tenant, kind, name, expected, history, at, JSON.stringify(body)],
    );
    if (put !== undefined) return { kind, name, version: put.version, at, body };
    const known = await this.#connection.row<{ newest: number }>(sources.newestVersion, tenant, kind, name);
    throw conflict(kind, name, expected ?? 0, known?.newest ?? 0);
  }

  async get(
    { principal: { tenant } }: CallContext,
    kind: string,
    name: string,
    version?: number,
  ): Promise<CatalogEntry | undefined> {
    const row =
      version === undefined
        ? await this.#connection.row<Row>(sources.newest, tenant, kind, name)
        : await this.#connection.row<Row>(sources.version, tenant, kind, name, version);
    return row === undefined ? undefined : entryOf(row);
  }

  async list(
    { principal: { tenant } }: CallContext,
    kind: string,
    query: { readonly cursor?: string; readonly limit?: number } = {},
  ): Promise<Page<CatalogEntry>> {
    const limit = pageSize(query.limit);
    const after = query.cursor === undefined ? "" : decodeCursor(query.cursor);
    const rows = await this.#connection.rows<Row>(sources.list, tenant, kind, after, limit + 1);
    return pageOf(rows, limit, entryOf, ({ name }) => name);
  }

  async versions(
    { principal: { tenant } }: CallContext,
    kind: string,
    name: string,
    query: { readonly cursor?: string; readonly limit?: number } = {},
  ): Promise<Page<CatalogEntry>> {
    const limit = pageSize(query.limit);
    const before = query.cursor === undefined ? 2 ** 31 - 1 : Number(decodeCursor(query.cursor));
    const rows = await this.#connection.rows<Row>(sources.versions, tenant, kind, name, before, limit + 1);
    return pageOf(rows, limit, entryOf, ({ version }) => String(version));
  }

  async delete({ principal: { tenant } }: CallContext, kind: string, name: string): Promise<void> {
    await this.#connection.transaction(async (query) => {
      await query(sources.lock, tenant, kind, name);
      await query(sources.remove, tenant, kind, name);
      await query(sources.forget, tenant, kind, name);
    });
  }

  async tenants(kind: string): Promise<readonly string[]> {
    const rows = await this.#connection.rows<{ tenant: string }>(sources.tenants, kind);
    return rows.map(({ tenant }) => tenant);
  }

  async close(): Promise<void> {
    this.#connection.close();
  }
}

const entryOf = ({ body, ...row }: Row): CatalogEntry => ({ ...row, body: JSON.parse(body) as Json });
