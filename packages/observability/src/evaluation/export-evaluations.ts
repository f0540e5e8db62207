import type { Json } from "../dialect.ts";
import type { SessionEvent } from "../session-event.ts";
import type { Evaluation } from "./evaluate.ts";
import type { EvaluationCase } from "./evaluator.ts";

/**
 * Cases and what was judged of them as JSON Lines, one case a line: `id`, `input`, `output`, `metadata` and `scores` by
 * evaluator. Evaluation tools import this form; `input` and `output` are what the user and the agent said.
 */
export function exportEvaluations(cases: readonly EvaluationCase[], evaluations: readonly Evaluation[] = []): string {
  const judged = Map.groupBy(evaluations, ({ id, session }) => JSON.stringify([id, session]));
  return cases
    .map(({ id, session, events }) => {
      const scores = Object.fromEntries(
        (judged.get(JSON.stringify([id, session])) ?? []).map(({ evaluator, judgement, error }) => [
          evaluator,
          judgement ?? { error: error ?? "not judged" },
        ]),
      );
      const line = {
        id,
        input: said(events, /^(?:user\.message|message\.user)$/),
        output: said(events, /^(?:agent\.message|message\.agent)$/),
        metadata: { session, events: events.length },
        scores,
      };
      return `${JSON.stringify(line)}\n`;
    })
    .join("");
}

const said = (events: readonly SessionEvent[], type: RegExp): string =>
  events.flatMap((event) => (type.test(event.type) ? [textOf(event.body)] : [])).join("\n\n");

function textOf(body: Json | undefined): string {
  if (typeof body === "string") return body;
  const { text, content = body ?? "" } = Object(body) as { readonly text?: Json; readonly content?: Json };
  const found = text ?? content;
  return typeof found === "string" ? found : JSON.stringify(found);
}
