import type { Catalog, CatalogEntry } from "../catalog.ts";
import { type CallContext, type Clock, type Json, type Page, systemClock } from "../dialect.ts";
import { conflict } from "../internal/catalog-errors.ts";
import { decodeCursor, pageOf, pageSize } from "../internal/paging.ts";

interface Name {
  readonly tenant: string;
  readonly kind: string;
  readonly name: string;
  last: number;
  versions: CatalogEntry[];
}

export class InMemoryCatalog implements Catalog {
  readonly #clock: Clock;
  readonly #names = new Map<string, Name>();

  constructor({ clock = systemClock }: { readonly clock?: Clock } = {}) {
    this.#clock = clock;
  }

  async put(
    { principal: { tenant } }: CallContext,
    kind: string,
    name: string,
    body: Json,
    { expected, history = true }: { readonly expected?: number; readonly history?: boolean } = {},
  ): Promise<CatalogEntry> {
    const key = JSON.stringify([tenant, kind, name]);
    const held = this.#names.get(key) ?? { tenant, kind, name, last: 0, versions: [] };
    const newest = held.versions.at(-1)?.version ?? 0;
    if (expected !== undefined && expected !== newest) throw conflict(kind, name, expected, newest);
    const entry = { kind, name, version: held.last + 1, at: this.#clock.now(), body: structuredClone(body) };
    held.last = entry.version;
    held.versions = history ? [...held.versions, entry] : [entry];
    this.#names.set(key, held);
    return entry;
  }

  async get(
    { principal: { tenant } }: CallContext,
    kind: string,
    name: string,
    version?: number,
  ): Promise<CatalogEntry | undefined> {
    const versions = this.#names.get(JSON.stringify([tenant, kind, name]))?.versions;
    return version === undefined ? versions?.at(-1) : versions?.find((entry) => entry.version === version);
  }

  async list(
    { principal: { tenant } }: CallContext,
    kind: string,
    query: { readonly cursor?: string; readonly limit?: number } = {},
  ): Promise<Page<CatalogEntry>> {
    const after = query.cursor === undefined ? "" : decodeCursor(query.cursor);
    const limit = pageSize(query.limit);
    const rows = [...this.#names.values()]
      .filter((each) => each.tenant === tenant && each.kind === kind && each.name > after)
      .flatMap(({ versions }) => versions.at(-1) ?? [])
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    return pageOf(
      rows,
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
    const before = query.cursor === undefined ? Number.POSITIVE_INFINITY : Number(decodeCursor(query.cursor));
    const rows = (this.#names.get(JSON.stringify([tenant, kind, name]))?.versions ?? [])
      .filter(({ version }) => version < before)
      .toReversed();
    return pageOf(
      rows,
      pageSize(query.limit),
      (entry) => entry,
      ({ version }) => String(version),
    );
  }

  async delete({ principal: { tenant } }: CallContext, kind: string, name: string): Promise<void> {
    const held = this.#names.get(JSON.stringify([tenant, kind, name]));
    if (held !== undefined) held.versions = [];
  }

  async tenants(kind: string): Promise<readonly string[]> {
    const live = [...this.#names.values()].filter((each) => each.kind === kind && each.versions.length > 0);
    return [...new Set(live.map(({ tenant }) => tenant))].sort();
  }

  async close(): Promise<void> {}
}
