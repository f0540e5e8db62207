import type { CallContext } from "../dialect.ts";
import type { SessionEvent } from "../session-event.ts";

/** One recorded session to judge. */
export interface EvaluationCase {
  /** Alike for the same case in every version that is compared. */
  readonly id: string;
  readonly session: string;
  readonly events: readonly SessionEvent[];
}

export interface Judgement {
  /** From 0 (fails) to 1 (passes). */
  readonly score: number;
  readonly label?: string;
  readonly explanation?: string;
}

export interface Evaluator {
  readonly name: string;
  judge(context: CallContext, evaluated: EvaluationCase): Promise<Judgement>;
}

/** A model that judges: the application joins its own. Gives back the model's answer as text. */
export interface JudgeModel {
  complete(context: CallContext, prompt: { readonly system: string; readonly user: string }): Promise<string>;
}
