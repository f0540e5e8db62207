import type { Metadata } from "./dialect.ts";

export type AuditDecision = "allow" | "deny" | "ask";

/** What happened, never a secret's value. */
export interface AuditEntry {
  /** `domain.action`: `credential.inject`, `credential.rotate`, `policy.decide`, … */
  readonly action: string;
  readonly decision: AuditDecision;
  readonly agent?: string;
  readonly session?: string;
  readonly user?: string;
  readonly reference?: string;
  readonly version?: number;
  readonly host?: string;
  readonly reason?: string;
  readonly details?: Metadata;
}

export interface AuditRow {
  readonly tenant: string;
  /** 1, 2, 3, … per tenant, without gaps. */
  readonly seq: number;
  readonly at: number;
  readonly entry: AuditEntry;
  /** Lower-case hexadecimal; covers the row and the hash of the row before it. */
  readonly hash: string;
}

/** Append-only rows, one chain per tenant. */
export interface AuditStore {
  /** The newest row of the tenant. */
  head(tenant: string): Promise<AuditRow | undefined>;
  /** False, with nothing written, unless `row.seq` is exactly one above the head's. */
  append(row: AuditRow): Promise<boolean>;
  /** Rows with `seq > after` in rising order; `limit` defaults to 500. */
  read(tenant: string, query?: { readonly after?: number; readonly limit?: number }): Promise<readonly AuditRow[]>;
  close(): Promise<void>;
}
