import type { Json, Page } from "./dialect.ts";

/** What a record is about; part of its key. Credentials, grants and keys hold ciphertext only. */
export type RecordKind = "keyring" | "credential" | "grant" | "flow" | "lease" | "signing" | "revocation" | "policy";

export interface StoredRecord {
  readonly id: string;
  /** Rises by one with every write; 1 for the first. */
  readonly version: number;
  readonly body: Json;
  /** Epoch milliseconds from which on the record counts as absent. */
  readonly expiresAt?: number;
}

export interface RecordWrite {
  readonly body: Json;
  readonly expiresAt?: number;
  /** The version that was read; 0 when the record must not exist. */
  readonly expected: number;
}

/**
 * Where identity keeps its records: one small document per key, written by compare-and-swap.
 *
 * `(tenant, kind, id)` is the key; no two keys may collide, whatever characters they hold. Every write is atomic and
 * durable before its promise resolves. Drivers' errors become `IDENTITY_BACKEND_FAILED`.
 */
export interface IdentityStore {
  get(tenant: string, kind: RecordKind, id: string): Promise<StoredRecord | undefined>;
  /** As many `get`s in one read: the answers stand in the order of the ids. */
  getMany(tenant: string, kind: RecordKind, ids: readonly string[]): Promise<readonly (StoredRecord | undefined)[]>;
  /** Resolves to the record as it now stands, or `undefined` when `expected` is not the stored version. */
  put(tenant: string, kind: RecordKind, id: string, write: RecordWrite): Promise<StoredRecord | undefined>;
  /** Removes the record and returns it: of many callers at most one receives it. */
  take(tenant: string, kind: RecordKind, id: string): Promise<StoredRecord | undefined>;
  /** Records whose id starts with `prefix`, in the order of their ids by code unit. `limit` defaults to 100. */
  list(
    tenant: string,
    kind: RecordKind,
    query?: { readonly prefix?: string; readonly cursor?: string; readonly limit?: number },
  ): Promise<Page<StoredRecord>>;
  /** Tenants that have a record of this kind: for key rotation over all of them. */
  tenants(kind: RecordKind): Promise<readonly string[]>;
  close(): Promise<void>;
}
