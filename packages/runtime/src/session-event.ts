import type { BlobRef } from "./blob-store.ts";
import type { Json } from "./dialect.ts";

/** The version of event bodies that this release writes. */
export const EVENT_SCHEMA_VERSION = 1;

/** The fence of an event that came from outside: placed in order by the log itself, not written by an owner. */
export const INPUT_FENCE = "input";

/** One entry of a session's log. `seq` rises by one from 1, without gaps. */
export interface SessionEvent {
  readonly tenant: string;
  readonly session: string;
  readonly seq: number;
  readonly id: string;
  /** `domain.action`, snake case after the dot: `turn.started`, `session.status_idle`, `input.message`. */
  readonly type: string;
  readonly at: number;
  /** The claim under which it was written, or `INPUT_FENCE`. Opaque. */
  readonly fence: string;
  readonly turn?: number;
  readonly step?: string;
  readonly attempt?: number;
  readonly idempotencyKey?: string;
  readonly traceparent?: string;
  readonly schemaVersion: number;
  readonly body?: Json;
  /** Where a body over the inline limit lies. */
  readonly blob?: BlobRef;
}

/** An event before the log has placed it. */
export type NewEvent = Omit<SessionEvent, "tenant" | "session" | "seq" | "fence">;
