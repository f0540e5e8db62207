import type { CallContext, Clock, IdSource } from "../dialect.ts";
import { MemoryError } from "../errors.ts";
import type { NewRecord } from "../record.ts";
import { MOST_POSITIONS } from "./document-number.ts";
import type { RecordRow } from "./record-row.ts";
import { retained } from "./retention.ts";

/** What a new row needs of the memory that it enters. */
export interface Slot {
  readonly ordinal: number;
  readonly definition: string | undefined;
  readonly once?: string | undefined;
}

/** Makes the rows of new records. */
export class RecordDrafts {
  readonly #clock: Clock;
  readonly #ids: IdSource;

  constructor({ clock, ids }: { readonly clock: Clock; readonly ids: IdSource }) {
    this.#clock = clock;
    this.#ids = ids;
  }

  draft(context: CallContext, record: NewRecord, { ordinal, definition, once }: Slot): RecordRow {
    const now = this.#clock.now();
    const { principal } = context;
    if (ordinal >= MOST_POSITIONS) {
      throw new MemoryError("MEMORY_TOO_LARGE", `A memory holds at most ${MOST_POSITIONS} records: start another.`);
    }
    return {
      namespace: "/",
      kind: "fact",
      metadata: {},
      evidence: [],
      confidence: 1,
      author: principal.user ?? principal.agent ?? principal.tenant,
      validFrom: now,
      ...retained(definition, "recordsMs", now),
      ...record,
      id: this.#ids.next("rec"),
      recordedAt: now,
      version: 1,
      ordinal,
      ...(once === undefined ? {} : { once }),
    };
  }
}
