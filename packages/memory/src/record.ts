import type { Metadata } from "./dialect.ts";

export type RecordKind = "fact" | "preference" | "summary" | "episode" | "reflection" | "custom";

export interface NewRecord {
  readonly text: string;
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
  readonly supersededAt?: number;
  /** The record that took its place; absent when it was invalidated. */
  readonly supersededBy?: string;
  readonly supersedes?: readonly string[];
  readonly expiresAt?: number;
  /** Rises with every change of this record; give it back to `update` to be refused when somebody was faster. */
  readonly version: number;
}

/** Which truth is asked for. */
export interface AsOf {
  /** What this memory knew at that instant. Default now. */
  readonly asOf?: number;
  /** What held in the world at that instant. Default `asOf`. */
  readonly validAt?: number;
}
