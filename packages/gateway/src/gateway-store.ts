import type { Json, Principal } from "./dialect.ts";

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

/** A target as it is kept: what makes a target of it is for `StoredTargets` to say. */
export interface TargetRecord {
  /** Whose gateway it belongs to. */
  readonly tenant: string;
  readonly name: string;
  /** Which maker it is for, e.g. `mcp` or `openapi`. */
  readonly kind: string;
  /** What the maker needs. Credentials are references, never secrets. */
  readonly definition: Json;
  readonly updatedAt: number;
}

/** A call under an idempotency key, from when it began. */
export interface CallRecord {
  readonly tenant: string;
  /** The same for the same key of the same principal at the same target. */
  readonly id: string;
  /** Of the tool and its arguments: one key is for one call. */
  readonly digest: string;
  /** Who makes the call: another attempt has another one. */
  readonly claim: string;
  readonly claimedAt: number;
  /** From then on it counts as never made. */
  readonly expiresAt: number;
  /** Absent while it is under way. */
  readonly result?: Json;
}

/** What a gateway keeps: reads see the last acknowledged write. Nothing is shared between tenants. */
export interface GatewayStore {
  /** Replaces a record of the same id. */
  saveKey(record: ApiKeyRecord): Promise<void>;
  key(id: string): Promise<ApiKeyRecord | undefined>;
  /** No error when there is none. */
  deleteKey(tenant: string, id: string): Promise<void>;
  /** Replaces a record of the same tenant and name. */
  saveTarget(record: TargetRecord): Promise<void>;
  /** All of a tenant's, by name. */
  targets(tenant: string): Promise<readonly TargetRecord[]>;
  /** No error when there is none. */
  deleteTarget(tenant: string, name: string): Promise<void>;
  /** Keeps the record unless one of its tenant and id, not expired at `claimedAt`, is there; gives the one that is kept. */
  claimCall(record: CallRecord): Promise<CallRecord>;
  /** Replaces the record of the same claim; false: the claim is not there any more, and nothing was written. */
  settleCall(record: CallRecord): Promise<boolean>;
  /** Forgets a claim that was not settled, so that the call may be made again. No error when there is none. */
  releaseCall(tenant: string, id: string, claim: string): Promise<void>;
  close(): Promise<void>;
}
