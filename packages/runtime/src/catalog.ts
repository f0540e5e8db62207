import type { CallContext, Json, Page } from "./dialect.ts";

export interface CatalogEntry {
  readonly kind: string;
  readonly name: string;
  /** Rises by one from 1 with every change of this name. */
  readonly version: number;
  readonly at: number;
  readonly body: Json;
}

/**
 * Named, versioned JSON documents: definitions of agents, endpoints, environments, schedules. Per tenant.
 *
 * - A version never changes once written. With `history: false` only the newest is kept.
 * - `put` with `expected` writes only if the newest version is that one (0: the name is new), else `RUNTIME_CONFLICT`.
 * - After `delete` the name is new again, but its versions go on from where they were.
 */
export interface Catalog {
  put(
    context: CallContext,
    kind: string,
    name: string,
    body: Json,
    options?: { readonly expected?: number; readonly history?: boolean },
  ): Promise<CatalogEntry>;
  /** The newest version, or the given one. */
  get(context: CallContext, kind: string, name: string, version?: number): Promise<CatalogEntry | undefined>;
  /** The newest version of each name, by name. */
  list(
    context: CallContext,
    kind: string,
    query?: { readonly cursor?: string; readonly limit?: number },
  ): Promise<Page<CatalogEntry>>;
  /** All versions of a name, newest first. */
  versions(
    context: CallContext,
    kind: string,
    name: string,
    query?: { readonly cursor?: string; readonly limit?: number },
  ): Promise<Page<CatalogEntry>>;
  delete(context: CallContext, kind: string, name: string): Promise<void>;
  /** Every tenant that has a document of this kind: for workers that serve all, such as the schedules' clock. */
  tenants(kind: string): Promise<readonly string[]>;
  close(): Promise<void>;
}
