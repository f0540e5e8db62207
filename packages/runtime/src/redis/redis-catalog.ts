import type { Catalog, CatalogEntry } from "../catalog.ts";
import { type CallContext, type Clock, type Json, type Page, systemClock } from "../dialect.ts";
import { conflict } from "../internal/catalog-errors.ts";
import { decodeCursor, pageOf, pageSize } from "../internal/paging.ts";
import * as scripts from "./catalog-scripts.ts";
import { Connection, type RedisDurability } from "./connection.ts";
import type { RedisClient } from "./redis-client.ts";

export interface RedisCatalogDeps {
  /** An ioredis `Redis` or `Cluster`. Whoever opened it closes it, after the catalog. */
  readonly client: RedisClient;
  /** Before every key; change it to let two deployments share a server. Default `ashlar:runtime:`. */
  readonly prefix?: string;
  /** Default `primary`. */
  readonly durability?: RedisDurability;
  readonly clock?: Clock;
}

/** All keys of a tenant share a hash tag. */
export class RedisCatalog implements Catalog {
  readonly #connection: Connection;
  readonly #prefix: string;
  readonly #clock: Clock;

  constructor({ client, prefix = "ashlar:runtime:", durability, clock = systemClock }: RedisCatalogDeps) {
    this.#connection = new Connection("catalog", client, durability);
    this.#prefix = prefix;
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
    const { document, names } = this.#keys(tenant, kind);
    // In a slot of its own: a tenant is listed first, and one without documents is passed over.
    await this.#connection.read((client) => client.sadd(this.#tenants(kind), tenant));
    const entry = JSON.stringify({ at, body });
    const version = (await this.#connection.write(
      scripts.put,
      [document(name), names],
      [name, expected ?? "", history ? "1" : "", entry],
    )) as number;
    if (version < 0) throw conflict(kind, name, expected ?? 0, -version - 1);
    return { kind, name, version, at, body };
  }

  async get(
    { principal: { tenant } }: CallContext,
    kind: string,
    name: string,
    version?: number,
  ): Promise<CatalogEntry | undefined> {
    const { document } = this.#keys(tenant, kind);
    const [found, entry] = (await this.#connection.run(scripts.get, [document(name)], [version ?? ""])) as [
      string,
      string,
    ];
    return entry === "" ? undefined : entryOf(kind, name, found, entry);
  }

  async list(
    context: CallContext,
    kind: string,
    query: { readonly cursor?: string; readonly limit?: number } = {},
  ): Promise<Page<CatalogEntry>> {
    const limit = pageSize(query.limit);
    const from = query.cursor === undefined ? "-" : `(${decodeCursor(query.cursor)}`;
    const { names } = this.#keys(context.principal.tenant, kind);
    const found = await this.#connection.read((client) => client.zrangebylex(names, from, "+", "LIMIT", 0, limit + 1));
    const entries = await Promise.all(found.map((name) => this.get(context, kind, name)));
    return pageOf(
      entries.filter((entry) => entry !== undefined),
      limit,
      (entry) => entry,
      ({ name }) => name,
    );
  }

  async versions(
    { principal: { tenant } }: CallContext,
    kind: string,
    name: string,
    query: { readonly cursor?: string; readonly limit?: number } = {},
  ): Promise<Page<CatalogEntry>> {
    const limit = pageSize(query.limit);
    const before = query.cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(decodeCursor(query.cursor));
    const { document } = this.#keys(tenant, kind);
    const flat = (await this.#connection.run(scripts.versions, [document(name)], [before, limit + 1])) as string[];
    const entries = Array.from({ length: flat.length / 2 }, (_, at) =>
      entryOf(kind, name, flat[2 * at] ?? "", flat[2 * at + 1] ?? ""),
    );
    return pageOf(
      entries,
      limit,
      (entry) => entry,
      ({ version }) => String(version),
    );
  }

  async delete({ principal: { tenant } }: CallContext, kind: string, name: string): Promise<void> {
    const { document, names } = this.#keys(tenant, kind);
    await this.#connection.write(scripts.remove, [document(name), names], [name]);
  }

  async tenants(kind: string): Promise<readonly string[]> {
    return this.#connection.read(async (client) => {
      const tenants = (await client.smembers(this.#tenants(kind))).sort();
      const counts = await Promise.all(tenants.map((tenant) => client.zcard(this.#keys(tenant, kind).names)));
      return tenants.filter((_, index) => (counts[index] ?? 0) > 0);
    });
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  #tenants(kind: string): string {
    return `${this.#prefix}tenants:${kind}`;
  }

  #keys(tenant: string, kind: string): { readonly names: string; document(name: string): string } {
    const tag = `${this.#prefix}{catalog:${encodeURIComponent(tenant)}}:${encodeURIComponent(kind)}`;
    return { names: `${tag}:names`, document: (name) => `${tag}:document:${name}` };
  }
}

function entryOf(kind: string, name: string, version: string, entry: string): CatalogEntry {
  const { at, body } = JSON.parse(entry) as { at: number; body: Json };
  return { kind, name, version: Number(version), at, body };
}
