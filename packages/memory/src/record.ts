import type { Json, Metadata } from "./dialect.ts";
import type { MemoryError } from "./errors.ts";

export type RecordKind = "fact" | "preference" | "summary" | "episode" | "reflection" | "custom";

export interface NewRecord {
  /** What is searched; may be empty when there is a value. */
  readonly text: string;
  /** Kept with the record and given back with it; not searched. */
  readonly value?: Json;
  /** What the caller calls it, unique within the namespace; a record that supersedes another takes it over. */
  readonly externalId?: string;
  /** A path such as `/preferences/ada`: where it is filed, and what may be asked for by prefix. Default `/`. */
  readonly namespace?: string;
  /** Default `fact`. */
  readonly kind?: RecordKind;
  readonly metadata?: Metadata;
  /** Events that it was drawn from. */
  readonly evidence?: readonly string[];
  /** 0 to 1; default 1. */
  readonly confidence?: number;
  /** Who wrote it: a person, an agent, a strategy. Default: the principal's user or agent. */
  readonly author?: string;
  /** Whom it is about, so that `forget` finds it. */
  readonly actor?: string;
  /** What it says in a word, such as `home.city`: a new value of the same subject supersedes the old one. */
  readonly subject?: string;
  /** From when, and until before when, it holds in the world. Default: from now, open. */
  readonly validFrom?: number;
  readonly validTo?: number;
  readonly expiresAt?: number;
}

/**
 * Two times: `validFrom` and `validTo` say when it holds in the world, `recordedAt` and `supersededAt` when this
 * memory took it for true. What was known at an instant can be read again later (`asOf`).
 */
export interface MemoryRecord {
  readonly id: string;
  readonly text: string;
  readonly value?: Json;
  readonly externalId?: string;
  readonly namespace: string;
  readonly kind: RecordKind;
  readonly metadata: Metadata;
  readonly evidence: readonly string[];
  readonly confidence: number;
  readonly author: string;
  readonly actor?: string;
  readonly subject?: string;
  readonly validFrom: number;
  readonly validTo?: number;
  readonly recordedAt: number;
  /** When it was last corrected in place. */
  readonly updatedAt?: number;
  readonly supersededAt?: number;
  /** The record that took its place; absent when it was invalidated. */
  readonly supersededBy?: string;
  readonly supersedes?: readonly string[];
  readonly expiresAt?: number;
  /** Rises with every change of this record; give it back to `update` to be refused when somebody was faster. */
  readonly version: number;
}

/** A record by our id, or by the caller's. */
export type RecordReference = string | { readonly namespace?: string; readonly externalId: string };

/** What a correction gives anew; the rest stays. */
export interface RecordChanges extends Partial<NewRecord> {
  /** That was read: refused with a conflict when the record has changed since. */
  readonly version?: number;
}

/** One part of a batch. `put` creates, or replaces what the caller's id names. */
export type RecordOperation =
  | { readonly action: "create"; readonly record: NewRecord }
  | { readonly action: "put"; readonly record: NewRecord & { readonly externalId: string } }
  | { readonly action: "update"; readonly record: RecordReference; readonly changes: RecordChanges }
  | { readonly action: "delete"; readonly record: RecordReference };

/** What became of one part of a batch; `record` is absent after a deletion. */
export type RecordOutcome =
  | { readonly ok: true; readonly record?: MemoryRecord }
  | { readonly ok: false; readonly error: MemoryError };

/** Which truth is asked for. */
export interface AsOf {
  /** What this memory knew at that instant. Default now. */
  readonly asOf?: number;
  /** What held in the world at that instant. Default `asOf`. */
  readonly validAt?: number;
}
