import { compareSessions, type SessionComparison } from "../comparison/compare-sessions.ts";
import type { CallContext } from "../dialect.ts";
import { ObservabilityError } from "../errors.ts";
import { compareVersions, type VersionComparison } from "../evaluation/compare-versions.ts";
import { type Evaluation, readSession } from "../evaluation/evaluate.ts";
import type { SessionReader } from "../session-reader.ts";

/** Evaluations of one version of an agent, prompt or model. */
export interface EvaluatedVersion {
  readonly version: string;
  readonly evaluations: readonly Evaluation[];
}

/** `?left=…&right=…`: two sessions of the caller's tenant. */
export async function comparedSessions(
  context: CallContext,
  reader: SessionReader,
  query: URLSearchParams,
): Promise<SessionComparison> {
  const [left, right] = [query.get("left"), query.get("right")];
  if (!left || !right) throw new ObservabilityError("OBSERVABILITY_INVALID", "Name both sessions: ?left=…&right=….");
  return compareSessions(await readSession(context, reader, left), await readSession(context, reader, right));
}

interface ComparedEvaluations {
  readonly versions: readonly string[];
  readonly summary?: readonly VersionComparison[];
  readonly cases?: readonly {
    readonly id: string;
    readonly evaluator: string;
    readonly before?: Evaluation;
    readonly after?: Evaluation;
  }[];
}

/** The versions there are, and with `?before=…&after=…` two of them case by case. */
export function comparedEvaluations(all: readonly EvaluatedVersion[], query: URLSearchParams): ComparedEvaluations {
  const versions = all.map(({ version }) => version);
  if (!query.has("before")) return { versions };
  const [before, after] = [query.get("before"), query.get("after")].map((name) =>
    all.find(({ version }) => version === name),
  );
  if (before === undefined || after === undefined)
    throw new ObservabilityError("OBSERVABILITY_NOT_FOUND", "There is no evaluation of one of these versions.");
  const cases = new Map<string, { id: string; evaluator: string; before?: Evaluation; after?: Evaluation }>();
  for (const [side, { evaluations }] of [
    ["before", before],
    ["after", after],
  ] as const)
    for (const each of evaluations) {
      const key = JSON.stringify([each.id, each.evaluator]);
      cases.set(key, { ...(cases.get(key) ?? { id: each.id, evaluator: each.evaluator }), [side]: each });
    }
  return { versions, summary: compareVersions(before.evaluations, after.evaluations), cases: [...cases.values()] };
}
