import type { CallContext } from "./dialect.ts";
import { lessons } from "./internal/lessons.ts";
import { termsOf } from "./internal/tokens.ts";
import type { MemoryRecord } from "./record.ts";
import type { Records } from "./records.ts";

/** One proposed change; `reason` is for the person who reviews it. */
export type Revision =
  | {
      readonly action: "merge";
      readonly keep: string;
      readonly close: readonly string[];
      readonly text: string;
      readonly reason: string;
    }
  | { readonly action: "close"; readonly keep: string; readonly close: readonly string[]; readonly reason: string }
  | {
      /** A new record of kind `reflection`, drawn from episodes; `close` is the lesson that it takes the place of. */
      readonly action: "learn";
      readonly from: readonly string[];
      readonly close: readonly string[];
      readonly namespace: string;
      readonly subject: string;
      readonly text: string;
      readonly reason: string;
    };

/** A reviewable difference: nothing has changed until it is applied. */
export interface Reflection {
  readonly namespace: string;
  readonly revisions: readonly Revision[];
  /** Record → version that was read: applying is refused when one has changed since. */
  readonly basis: Readonly<Record<string, number>>;
}

/**
 * Finds among current records those that say the same, values of one subject that a later one contradicts, and episodes
 * of the same kind that a lesson can be drawn from.
 */
export class Reflections {
  readonly #records: Records;

  constructor({ records }: { readonly records: Records }) {
    this.#records = records;
  }

  async propose(
    context: CallContext,
    memory: string,
    { namespace = "/" }: { readonly namespace?: string } = {},
  ): Promise<Reflection> {
    const records: MemoryRecord[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = await this.#records.list(context, memory, {
        namespace,
        limit: 1_000,
        ...(cursor === undefined ? {} : { cursor }),
      });
      records.push(...page.items);
      cursor = page.cursor;
      if (cursor === undefined) break;
    }
    const latest = (group: readonly MemoryRecord[]) =>
      group.toSorted((a, b) => a.validFrom - b.validFrom || (a.id < b.id ? -1 : 1));
    const revisions: Revision[] = [];
    /** One change a record: what is left over is found by the next proposal. */
    const touched = new Set<string>();
    const propose = (action: "merge" | "close", group: readonly MemoryRecord[], reason: string) => {
      const open = latest(group.filter(({ id }) => !touched.has(id)));
      const keep = open.at(-1);
      const close = open.slice(0, -1).map(({ id }) => id);
      if (keep === undefined || close.length === 0) return;
      for (const id of [keep.id, ...close]) touched.add(id);
      revisions.push(
        action === "merge"
          ? { action, keep: keep.id, close, text: keep.text, reason }
          : { action, keep: keep.id, close, reason },
      );
    };
    for (const group of groups(records, ({ namespace: at, text }) => `${at}\n${termsOf(text).sort().join(" ")}`)) {
      propose("merge", group, "They say the same in the same words.");
    }
    for (const group of groups(
      records.filter(({ subject }) => subject !== undefined),
      (record) => `${record.namespace}\n${record.actor ?? ""}\n${record.subject}`,
    )) {
      propose("close", group, "A later record gives the subject another value.");
    }
    for (const lesson of lessons(records.filter(({ id }) => !touched.has(id)))) {
      for (const id of [...lesson.from, ...lesson.close]) touched.add(id);
      revisions.push(lesson);
    }
    const basis = Object.fromEntries(
      records.filter(({ id }) => touched.has(id)).map(({ id, version }) => [id, version]),
    );
    return { namespace, revisions, basis };
  }

  /** All of it in one commit, or a conflict when a record has changed since. Nothing is deleted; evidence is kept. */
  apply(context: CallContext, memory: string, { revisions, basis }: Reflection): Promise<void> {
    return this.#records.consolidate(context, memory, revisions, basis);
  }
}

function groups(records: readonly MemoryRecord[], key: (record: MemoryRecord) => string): MemoryRecord[][] {
  const grouped = new Map<string, MemoryRecord[]>();
  for (const record of records) {
    const group = grouped.get(key(record));
    if (group === undefined) grouped.set(key(record), [record]);
    else group.push(record);
  }
  return [...grouped.values()].filter(({ length }) => length > 1);
}
