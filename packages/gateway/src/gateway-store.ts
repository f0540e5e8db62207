import type { Principal } from "./dialect.ts";

/** A key as it is kept: never the key itself, only its SHA-256 (a key is 256 random bits, so that is enough). */
export interface ApiKeyRecord {
  readonly id: string;
  readonly hash: string;
  readonly principal: Principal;
  /** What it may be used for; empty is everything. */
  readonly scopes: readonly string[];
  readonly createdAt: number;
  readonly expiresAt?: number;
}

/** What a gateway keeps: reads see the last acknowledged write. Nothing is shared between tenants. */
export interface GatewayStore {
  /** Replaces a record of the same id. */
  saveKey(record: ApiKeyRecord): Promise<void>;
  key(id: string): Promise<ApiKeyRecord | undefined>;
  /** No error when there is none. */
  deleteKey(tenant: string, id: string): Promise<void>;
  close(): Promise<void>;
}
