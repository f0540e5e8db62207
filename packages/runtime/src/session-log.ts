import type { CallContext, Json, Metadata, Page } from "./dialect.ts";
import type { NewEvent, SessionEvent } from "./session-event.ts";

/** `waiting` says why in the record's state; `parked` is taken out of work until an operator requeues it. */
export type SessionStatus = "queued" | "running" | "waiting" | "idle" | "parked" | "ended";

export interface SessionRecord {
  readonly id: string;
  readonly tenant: string;
  readonly agent: string;
  readonly agentVersion: string;
  /** Chosen by the caller; unique per tenant and agent. */
  readonly externalId?: string;
  /** The session that started this one. */
  readonly parent?: string;
  readonly status: SessionStatus;
  readonly metadata: Metadata;
  /** What the runtime keeps beside the events; opaque to the log. */
  readonly state: Json;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly archivedAt?: number;
  /** `seq` of the last event. */
  readonly head: number;
  /** The newest claim; it stays after a release, and no earlier one is ever valid again. */
  readonly fence?: string;
  /** Who holds the claim; absent when nobody does. The owner's lease may have run out: see `owners`. */
  readonly owner?: string;
  /** When the session wants to run; absent when nothing is to be done. */
  readonly wakeAt?: number;
}

export type NewSession = Pick<
  SessionRecord,
  "id" | "agent" | "agentVersion" | "externalId" | "parent" | "status" | "metadata" | "state" | "wakeAt"
> & { readonly at: number; readonly events: readonly NewEvent[] };

/** Applied in the transaction of the append; `null` clears. */
export interface SessionChange {
  readonly status?: SessionStatus;
  readonly metadata?: Metadata;
  readonly state?: Json;
  readonly archivedAt?: number | null;
  /** Then gives the claim up, as `release` does. */
  readonly release?: Release;
}

export interface Release {
  /** The last `seq` that the owner has read: inputs beyond it wake the session again. */
  readonly seen: number;
  readonly wakeAt?: number;
}

export interface SessionQuery {
  readonly status?: SessionStatus;
  readonly agent?: string;
  readonly externalId?: string;
  readonly parent?: string;
  /** Every given entry must be equal. */
  readonly metadata?: Metadata;
  /** Absent: those that are not archived. */
  readonly archived?: boolean;
  readonly cursor?: string;
  /** Default 100, at most 1,000. */
  readonly limit?: number;
}

export interface Claim {
  /** `epoch:nonce`: never repeats, also after a failover that forgot the last epoch. Opaque to everyone but the log. */
  readonly fence: string;
  readonly record: SessionRecord;
  /** The owner this claim was taken from: it ended without a release. */
  readonly tookOverFrom?: string;
}

/** A session that should be run and is in nobody's hands. */
export interface DueSession {
  readonly tenant: string;
  readonly session: string;
  readonly agent: string;
  readonly wakeAt: number;
  readonly state: Json;
}

/**
 * Sessions and their events. One event log per session: totally ordered, append-only, one fenced writer at a time.
 *
 * The laws, all per `principal.tenant`:
 * - What a resolved `append`, `create` or `deposit` wrote survives a crash of the process.
 * - Only the newest claim of a session may `append`, `saveSnapshot` or `release`; every other fence is refused with
 *   `RUNTIME_FENCED` and nothing is written.
 * - An event whose `idempotencyKey` the session already holds is not written again: the first one is returned.
 * - An unknown session, or one of another tenant, is `RUNTIME_NOT_FOUND` (from `get`: `undefined`).
 * - Setting the wake flag and appending the input are one atomic act, and so are clearing it and releasing: no wake-up
 *   falls between.
 */
export interface SessionLog {
  /**
   * Makes a session with its first events. With an `externalId` that the tenant's agent already has, gives that
   * session, and `created` is false. An `id` in use is `RUNTIME_SESSION_EXISTS`.
   */
  create(
    context: CallContext,
    session: NewSession,
  ): Promise<{ readonly record: SessionRecord; readonly created: boolean }>;
  get(context: CallContext, session: string): Promise<SessionRecord | undefined>;
  /** Newest first. */
  find(context: CallContext, query: SessionQuery): Promise<Page<SessionRecord>>;
  /** Removes the session with its events and snapshot. A session that is claimed is `RUNTIME_SESSION_BUSY`. */
  delete(context: CallContext, session: string): Promise<void>;

  /**
   * Takes the session under a new fence; `undefined` when another owner with a lease in force holds it. `from` takes it
   * even then, provided that the newest fence is still exactly that one. Claiming again as the same owner gives a new fence.
   */
  claim(
    context: CallContext,
    session: string,
    options: { readonly owner: string; readonly from?: string },
  ): Promise<Claim | undefined>;
  /** In order, all or none. `change` goes into the same transaction; `events` may be empty. */
  append(
    context: CallContext,
    session: string,
    fence: string,
    events: readonly NewEvent[],
    change?: SessionChange,
  ): Promise<readonly SessionEvent[]>;
  /**
   * Gives the claim up and sets when to run next: `wakeAt`, or now when inputs lie beyond `seen`, the last `seq` that
   * the owner has read (an `idle` session then becomes `queued`).
   */
  release(context: CallContext, session: string, fence: string, options: Release): Promise<{ readonly woken: boolean }>;

  /**
   * Appends an input from outside, claim or no claim, and (unless `wake` is false) sets `wakeAt` to now; an `idle`
   * session becomes `queued`. An ended session is `RUNTIME_SESSION_ENDED`.
   */
  deposit(
    context: CallContext,
    session: string,
    event: NewEvent,
    options?: { readonly wake?: boolean },
  ): Promise<{ readonly event: SessionEvent; readonly duplicate: boolean }>;

  /** Events with `seq` over `after` (default 0), in order: `limit` (default 1,000) of them, or all there are. */
  read(
    context: CallContext,
    session: string,
    options?: { readonly after?: number; readonly limit?: number },
  ): Promise<readonly SessionEvent[]>;
  /** The newest snapshot is kept: what a reader needs to start from `seq` instead of from 0. */
  saveSnapshot(
    context: CallContext,
    session: string,
    fence: string,
    snapshot: { readonly seq: number; readonly body: Json },
  ): Promise<void>;
  snapshot(context: CallContext, session: string): Promise<{ readonly seq: number; readonly body: Json } | undefined>;

  /** Starts or prolongs the lease of an owner, and with it every claim it holds. Measured by the log's own clock. */
  renew(owner: string, leaseMs: number): Promise<void>;
  /** Ends the lease of an owner at once: one that leaves, or is known to be dead. Its claims may then be taken. */
  expire(owner: string): Promise<void>;
  /** Owners that hold claims, with the end of their leases. Over all tenants: for workers. */
  owners(): Promise<readonly { readonly owner: string; readonly expiresAt: number }[]>;
  /**
   * Sessions whose `wakeAt` has come and which no owner with a lease in force holds. A claim without a `wakeAt` sets it
   * to now, so that a session whose owner died is always among them. By `wakeAt`, then by session; at most `limit`, those
   * behind `after` only. Over all tenants: for workers.
   */
  due(options: {
    readonly limit: number;
    readonly after?: Pick<DueSession, "wakeAt" | "session">;
  }): Promise<readonly DueSession[]>;

  close(): Promise<void>;
}
