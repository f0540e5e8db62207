/** Where a memory lives. Nothing in one scope is ever visible from another; document frequencies are per scope too. */
export interface Scope {
  readonly tenant: string;
  readonly memory: string;
}

export interface Entry {
  /** Printable ASCII, so that byte order and string order agree on every backend. At most 4,096 characters. */
  readonly key: string;
  readonly value: string;
}

/** One occurrence list entry of the inverted index: `term` occurs `frequency` times in `document`. */
export interface Posting {
  /** Any text without NUL; compared exactly. */
  readonly term: string;
  /** A non-negative safe integer. */
  readonly document: number;
  readonly frequency: number;
  /** Terms in the whole document. */
  readonly length: number;
}

/** Triples `document, frequency, length, …`, in rising order of document. */
export type PostingList = readonly number[];

export interface Lookup {
  readonly keys?: readonly string[];
  readonly counters?: readonly string[];
  readonly terms?: readonly string[];
}

/** Answers in the order of the questions. */
export interface Found {
  /** `undefined` where a key holds nothing. */
  readonly values: readonly (string | undefined)[];
  /** 0 where a counter was never added to. */
  readonly counters: readonly number[];
  /** Empty where a term was never posted. */
  readonly postings: readonly PostingList[];
}

export interface Range {
  /** Inclusive. */
  readonly from: string;
  /** Exclusive. */
  readonly to: string;
  /** At most this many entries, counted from `from`, or from `to` when `reverse`. */
  readonly limit: number;
  readonly reverse?: boolean;
}

/**
 * Applied in this order: expectations are checked, then deletes, puts, additions, removed and added postings. Of two that
 * put or post the same, the later counts; additions to one counter all do.
 */
export interface Batch {
  /** What each key must hold right now (`undefined`: nothing), or the whole batch is refused. */
  readonly expect?: readonly { readonly key: string; readonly value: string | undefined }[];
  readonly delete?: readonly string[];
  readonly put?: readonly Entry[];
  /** Adds integers to counters, which start at 0. */
  readonly add?: readonly { readonly counter: string; readonly by: number }[];
  readonly unpost?: readonly Pick<Posting, "term" | "document">[];
  /** Replaces an entry of the same term and document. */
  readonly post?: readonly Posting[];
}

/**
 * What a memory stands on: an ordered map, counters and an inverted index, each per scope, written together.
 * Everything that memory means is built above this port, so that a backend has little to get wrong.
 *
 * - A batch is atomic and durable when `commit` resolves; readers see all of it or nothing.
 * - `read` answers from one state of the scope: no commit falls between its parts.
 * - Scopes are separate for every pair of strings, however spelled.
 * - A driver's failure rejects with a `MemoryError` of kind `unavailable`, and nothing is half-written.
 */
export interface MemoryStore {
  read(scope: Scope, lookup: Lookup): Promise<Found>;

  /** Entries in order of key (descending when `reverse`). */
  scan(scope: Scope, range: Range): Promise<readonly Entry[]>;

  /** False when an expectation did not hold: then nothing was written. */
  commit(scope: Scope, batch: Batch): Promise<boolean>;

  /** Rises with every commit that changed the scope; 0 for one that holds nothing. Never falls, not even by `drop`. */
  version(scope: Scope): Promise<number>;

  /** Scopes that hold an entry, after the one given: a tenant's stand together, in order of memory. */
  scopes(page: { readonly after?: Scope; readonly limit: number }): Promise<readonly Scope[]>;

  /** Removes whatever the scope holds. */
  drop(scope: Scope): Promise<void>;

  /**
   * Overwrites what deletions left behind: after it, no byte of a deleted value is in the files that this store keeps.
   * A store without files of its own does nothing. May take long; call it from a job, not from a request.
   */
  compact(): Promise<void>;

  /** Releases what the store made; a connection that it was given stays open. Idempotent. */
  close(): Promise<void>;
}
