import type { Json } from "./dialect.ts";

/** One entry of a session's log, as the runtime writes it. */
export interface SessionEvent {
  readonly tenant: string;
  readonly session: string;
  /** Rises by one from event to event, from 1. */
  readonly seq: number;
  readonly id: string;
  /** `domain.action`, for example `session.recovered`. */
  readonly type: string;
  readonly at: number;
  /** Opaque; a change of it means that another writer took over. */
  readonly fence: string;
  readonly turn?: number;
  readonly step?: string;
  readonly attempt?: number;
  readonly idempotencyKey?: string;
  readonly traceparent?: string;
  readonly schemaVersion: number;
  readonly body?: Json;
  /** Where a body too large for the log stands instead. */
  readonly blob?: BlobRef;
}

export interface BlobRef {
  readonly key: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly mediaType: string;
}
