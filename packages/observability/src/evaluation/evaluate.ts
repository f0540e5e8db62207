import type { CallContext } from "../dialect.ts";
import { ObservabilityError } from "../errors.ts";
import type { SessionEvent } from "../session-event.ts";
import type { SessionReader } from "../session-reader.ts";
import type { EvaluationCase, Evaluator, Judgement } from "./evaluator.ts";

/** A dataset from recorded sessions. `id` names the case; the session's own id when absent. */
export async function casesFromSessions(
  context: CallContext,
  reader: SessionReader,
  sessions: readonly { readonly session: string; readonly id?: string }[],
): Promise<readonly EvaluationCase[]> {
  const cases: EvaluationCase[] = [];
  for (const { session, id = session } of sessions)
    cases.push({ id, session, events: await readSession(context, reader, session) });
  return cases;
}

/** All events of one session, page by page. */
export async function readSession(
  context: CallContext,
  reader: SessionReader,
  session: string,
): Promise<readonly SessionEvent[]> {
  const events: SessionEvent[] = [];
  for (;;) {
    context.signal?.throwIfAborted();
    const page = await reader.events(context, session, { after: events.at(-1)?.seq ?? 0, limit: 1000 });
    events.push(...page.items);
    if (page.cursor === undefined || page.items.length === 0) return events;
  }
}

export interface Evaluation {
  readonly id: string;
  readonly session: string;
  readonly evaluator: string;
  readonly judgement?: Judgement;
  /** Why there is none. */
  readonly error?: string;
}

/** Every evaluator on every case, in order. A case that cannot be judged is reported as such and does not stop the rest. */
export async function evaluate(
  context: CallContext,
  cases: readonly EvaluationCase[],
  evaluators: readonly Evaluator[],
): Promise<readonly Evaluation[]> {
  const results: Evaluation[] = [];
  for (const each of cases) {
    for (const evaluator of evaluators) {
      context.signal?.throwIfAborted();
      const about = { id: each.id, session: each.session, evaluator: evaluator.name };
      try {
        const judgement = await evaluator.judge(context, each);
        if (!(judgement.score >= 0 && judgement.score <= 1)) {
          throw new ObservabilityError(
            "OBSERVABILITY_INVALID",
            `${evaluator.name} gave the score ${judgement.score}, which is not from 0 to 1.`,
          );
        }
        results.push({ ...about, judgement });
      } catch (error) {
        results.push({ ...about, error: error instanceof Error ? error.message : String(error) });
      }
    }
  }
  return results;
}
