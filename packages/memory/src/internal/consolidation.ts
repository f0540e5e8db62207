import type { CallContext, Clock } from "../dialect.ts";
import { MemoryError } from "../errors.ts";
import type { MemoryStore, Scope } from "../memory-store.ts";
import type { NewRecord } from "../record.ts";
import { touchedBy } from "../reflection.ts";
import type { Revision } from "../reflector.ts";
import { keys } from "./keys.ts";
import { merge } from "./merge.ts";
import { allocation, closing, placing } from "./record-changes.ts";
import type { RecordDrafts } from "./record-drafts.ts";
import type { RecordRow } from "./record-row.ts";
import type { RecordRows } from "./record-rows.ts";
import type { Attempt } from "./transactions.ts";

export interface ConsolidationDeps {
  readonly store: MemoryStore;
  readonly clock: Clock;
  readonly rows: RecordRows;
  readonly drafts: RecordDrafts;
}

/** Revisions of records, as one commit. */
export class Consolidation {
  readonly #deps: ConsolidationDeps;

  constructor(deps: ConsolidationDeps) {
    this.#deps = deps;
  }

  async decide(
    context: CallContext,
    scope: Scope,
    revisions: readonly Revision[],
    basis: Readonly<Record<string, number>>,
  ): Promise<Attempt<void>> {
    const { values } = await this.#deps.store.read(scope, { keys: [keys.nextRecord, keys.definition()] });
    const rows = new Map<string, RecordRow>();
    for (const id of revisions.flatMap(touchedBy)) {
      if (rows.has(id)) throw new MemoryError("MEMORY_INVALID", `Two revisions touch the record ${id}: propose again.`);
      const row = await this.#deps.rows.current(scope, id);
      if (row.version !== basis[id]) {
        throw new MemoryError("MEMORY_CONFLICT", `Record ${id} has changed since: propose again.`);
      }
      rows.set(id, row);
    }
    for (const revision of revisions) {
      if (revision.action !== "learn") continue;
      const held = await this.#deps.rows.find(scope, { namespace: revision.namespace, externalId: revision.subject });
      if (held !== undefined && !revision.close.includes(held.id)) {
        throw new MemoryError("MEMORY_CONFLICT", "This lesson has been drawn since: propose again.");
      }
    }
    const first = Number(values[0] ?? 0);
    let count = 0;
    const batches = revisions.map((revision) => {
      if (revision.action === "learn") {
        const { from, close, namespace, subject, text } = revision;
        const evidence = [...from.flatMap((id) => rows.get(id)?.evidence ?? []), ...(revision.evidence ?? [])];
        const drawn = { evidence: [...new Set(evidence)].slice(0, 1_000), kind: "reflection" as const };
        const said: NewRecord = { text, namespace, subject, externalId: subject, ...drawn };
        const actors = new Set(from.map((id) => rows.get(id)?.actor));
        const [actor] = actors.size === 1 ? actors : [];
        const slot = { ordinal: first + count++, definition: values[1] };
        const drafted = this.#deps.drafts.draft(context, { ...said, ...(actor === undefined ? {} : { actor }) }, slot);
        const lesson: RecordRow = close.length === 0 ? drafted : { ...drafted, supersedes: close };
        return merge(placing(lesson), ...close.map((id) => closing(rows.get(id) as RecordRow, lesson)));
      }
      const keep = rows.get(revision.keep) as RecordRow;
      const old = revision.close.map((id) => rows.get(id) as RecordRow);
      if (revision.action === "close") return merge(...old.map((row) => closing(row, keep, this.#deps.clock.now())));
      const all = [...old, keep];
      const { id, ordinal, version, recordedAt, updatedAt, once, ...said } = keep;
      const merged: RecordRow = {
        ...said,
        ...this.#deps.drafts.draft(
          context,
          { ...said, text: revision.text },
          { ordinal: first + count++, definition: values[1] },
        ),
        evidence: [...new Set(all.flatMap(({ evidence }) => evidence))],
        validFrom: keep.validFrom,
        supersedes: all.map((row) => row.id),
      };
      return merge(placing(merged), ...all.map((row) => closing(row, merged)));
    });
    const batch = merge(allocation(values[0], count), ...batches);
    return revisions.length === 0 ? { result: undefined } : { batch, result: undefined };
  }
}
