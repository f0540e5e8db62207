import type { MemoryEvent } from "./event.ts";
import type { Filter } from "./filter.ts";
import type { Explanation } from "./ranking.ts";
import type { AsOf, MemoryRecord, RecordKind } from "./record.ts";

export interface SearchQuery extends AsOf {
  readonly text: string;
  /** Most hits, 1 to 1,000. Default 10. */
  readonly topK?: number;
  /** Default both: turns and records are ranked apart and interleaved, records first. */
  readonly sources?: readonly ("events" | "records")[];
  readonly actor?: string;
  readonly session?: string;
  /** Records filed here or below. */
  readonly namespace?: string;
  readonly kinds?: readonly RecordKind[];
  /** All of them must hold. They choose among the ranked; they do not change a score. */
  readonly filters?: readonly Filter[];
  /** Adds to each hit why it ranked where it did. Default false. */
  readonly explain?: boolean;
}

interface Hit {
  readonly id: string;
  readonly text: string;
  /** Comparable within one answer and one source only. */
  readonly score: number;
  /** When it happened, or from when it holds. */
  readonly at: number;
  readonly explanation?: Explanation;
}

export type SearchHit =
  | (Hit & { readonly source: "events"; readonly event: MemoryEvent })
  | (Hit & { readonly source: "records"; readonly record: MemoryRecord });
