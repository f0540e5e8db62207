import type { MemoryEvent } from "./event.ts";
import type { MemoryRecord } from "./record.ts";

/** One proposed change; `reason` is for the person who reviews it. No two of one reflection touch the same record. */
export type Revision =
  | {
      /** One record in place of several that say the same; it keeps the evidence of all. */
      readonly action: "merge";
      readonly keep: string;
      readonly close: readonly string[];
      readonly text: string;
      readonly reason: string;
    }
  | { readonly action: "close"; readonly keep: string; readonly close: readonly string[]; readonly reason: string }
  | {
      /** A new record of kind `reflection`; `close` is the lesson that it takes the place of. */
      readonly action: "learn";
      /** Records that it is drawn from, and events of past sessions. */
      readonly from: readonly string[];
      readonly evidence?: readonly string[];
      readonly close: readonly string[];
      readonly namespace: string;
      readonly subject: string;
      readonly text: string;
      readonly reason: string;
    };

export interface PastSession {
  readonly actor: string;
  readonly session: string;
  readonly branch: string;
  readonly events: readonly MemoryEvent[];
}

/** What a reflector looks at. */
export interface ReflectionMaterial {
  /** Where new lessons are filed. */
  readonly namespace: string;
  /** The current records filed there or below. */
  readonly records: readonly MemoryRecord[];
  /** Newest first. */
  readonly sessions: readonly PastSession[];
}

/** Finds what should be revised. It changes nothing: what it proposes is reviewed and applied by others. */
export interface Reflector {
  reflect(material: ReflectionMaterial, options?: { readonly signal?: AbortSignal }): Promise<readonly Revision[]>;
}
