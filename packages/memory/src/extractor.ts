import type { CallContext, Metadata } from "./dialect.ts";
import type { BranchKey, MemoryEvent } from "./event.ts";
import type { MemoryRecord, RecordKind } from "./record.ts";

export interface Extraction {
  /** One statement that is understood alone: names instead of pronouns. */
  readonly text: string;
  readonly kind?: RecordKind;
  /** What it says in a word, such as `home.city`: another value of it supersedes the old one. */
  readonly subject?: string;
  /** 0 to 1. */
  readonly confidence?: number;
  /** Ids of events of the window. Default: all of it. */
  readonly evidence?: readonly string[];
  readonly validFrom?: number;
  readonly metadata?: Metadata;
}

/** What was appended to one branch since the last window, and where. */
export interface ExtractionWindow {
  readonly context: CallContext;
  /** The memory's name. */
  readonly memory: string;
  readonly actor: string;
  readonly session: string;
  readonly branch: string;
  readonly events: readonly MemoryEvent[];
  /** Current records where the strategy files its own. */
  readonly records: readonly MemoryRecord[];
}

export interface ExtractionOptions {
  readonly signal?: AbortSignal;
}

/** Draws statements from what happened. May be called again with the same window after a failure. */
export interface Extractor {
  extract(window: ExtractionWindow, options?: ExtractionOptions): Promise<readonly Extraction[]>;
}

export interface Strategy {
  /** Unique among the strategies of one `Memory`. */
  readonly id: string;
  readonly extractor: Extractor;
  /**
   * Where its records are filed: a path with `{actorId}`, `{sessionId}`, `{strategyId}` and whatever `keys` names. Each
   * value stays one part of the path, whatever it holds. Default `/{strategyId}/{actorId}`.
   */
  readonly namespace?: string;
  /** Values for the keys of one's own in `namespace`, of the branch that is read. */
  readonly keys?: (branch: Required<BranchKey>) => Readonly<Record<string, string>>;
  /** Names of the memories that it works on. Default all. */
  readonly memories?: readonly string[];
}
