import type { Json, Page, Principal } from "./dialect.ts";

export interface ApprovalAnswer {
  readonly allow: boolean;
  /** Told to the caller when the answer is no. */
  readonly message?: string;
  /** Who answered, for the record. */
  readonly by?: string;
  readonly at: number;
}

/** A call that waits for somebody's word. */
export interface ApprovalRecord {
  /** The same for the same call of the same principal. */
  readonly id: string;
  readonly principal: Principal;
  /** `<target>/<tool>`. */
  readonly resource: string;
  readonly arguments: Json;
  /** Of the policy that asks. */
  readonly reason: string;
  readonly requestedAt: number;
  /** From then on it counts as never asked. */
  readonly expiresAt: number;
  readonly answer?: ApprovalAnswer;
}

/** Where held calls wait. Nothing is shared between tenants. */
export interface ApprovalStore {
  /** Keeps the record unless one of its tenant and id, not expired at `requestedAt`, is there; gives the one that is kept. */
  hold(record: ApprovalRecord): Promise<ApprovalRecord>;
  /** Those without an answer, oldest first. */
  open(
    tenant: string,
    query: { readonly now: number; readonly cursor?: string; readonly limit?: number },
  ): Promise<Page<ApprovalRecord>>;
  /** The first answer stays; false when there was nothing to answer. */
  answer(tenant: string, id: string, answer: ApprovalAnswer): Promise<boolean>;
  /** Takes an answered record out: of several at once, one gets it. */
  take(tenant: string, id: string): Promise<ApprovalRecord | undefined>;
  close(): Promise<void>;
}
