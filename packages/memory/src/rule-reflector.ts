import { EpisodeExtractor } from "./episode-extractor.ts";
import { type Episode, lessons } from "./internal/lessons.ts";
import { termsOf } from "./internal/tokens.ts";
import type { MemoryRecord } from "./record.ts";
import type { ReflectionMaterial, Reflector, Revision } from "./reflector.ts";

/**
 * Needs no model: finds records that say the same in the same words, values of one subject that a later one contradicts,
 * and lessons that alike episodes give, be they records already or still to be read out of past sessions.
 */
export class RuleReflector implements Reflector {
  async reflect({ namespace, records, sessions }: ReflectionMaterial): Promise<readonly Revision[]> {
    const revisions: Revision[] = [];
    /** One change a record: what is left over is found by the next proposal. */
    const touched = new Set<string>();
    const propose = (action: "merge" | "close", group: readonly MemoryRecord[], reason: string) => {
      const open = latest(group.filter(({ id }) => !touched.has(id)));
      const keep = open.at(-1);
      const close = open.slice(0, -1).map(({ id }) => id);
      if (keep === undefined || close.length === 0) return;
      for (const id of [keep.id, ...close]) touched.add(id);
      const said = { keep: keep.id, close, reason };
      revisions.push(action === "merge" ? { action, ...said, text: keep.text } : { action, ...said });
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
    const left = records.filter(({ id }) => !touched.has(id));
    return [...revisions, ...lessons(left, [...kept(left), ...(await drafted(namespace, records, sessions))])];
  }
}

const latest = (group: readonly MemoryRecord[]): readonly MemoryRecord[] =>
  group.toSorted((a, b) => a.validFrom - b.validFrom || (a.id < b.id ? -1 : 1));

const kept = (records: readonly MemoryRecord[]): Episode[] =>
  records.flatMap(({ id, kind, namespace, metadata }) =>
    kind === "episode" ? [{ from: [id], evidence: [], namespace, metadata }] : [],
  );

/** Episodes of sessions that no record tells of yet. */
async function drafted(
  namespace: string,
  records: readonly MemoryRecord[],
  sessions: ReflectionMaterial["sessions"],
): Promise<Episode[]> {
  const told = new Set(records.flatMap(({ kind, evidence }) => (kind === "episode" ? evidence : [])));
  const extractor = new EpisodeExtractor();
  const all = await Promise.all(sessions.toReversed().map(({ events }) => extractor.extract({ events })));
  return all
    .flat()
    .flatMap(({ metadata = {}, evidence = [] }) =>
      evidence.some((id) => told.has(id)) ? [] : [{ from: [], evidence, namespace, metadata }],
    );
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
