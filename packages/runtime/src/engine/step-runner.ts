import type { Clock, Json } from "../dialect.ts";
import { RuntimeError } from "../errors.ts";
import type { ApprovalRequest, StepCall, StepOptions } from "../session.ts";
import { asJson, digest, errorBody, failedBefore, type RecordedStep, recordedSteps } from "./steps.ts";
import { Suspension } from "./suspension.ts";
import { fieldsOf, type TurnRecord } from "./turn-record.ts";

export interface StepRunnerDeps {
  readonly record: TurnRecord;
  readonly clock: Clock;
  readonly session: string;
  readonly turn: number;
  readonly signal: AbortSignal;
  /** Before a step that is not recorded yet. */
  readonly admit: () => Promise<void>;
  readonly ask: (name: string, request: ApprovalRequest) => Promise<{ readonly allow: boolean }>;
  /** For a fork with recorded effects: what the origin recorded for this step. */
  readonly recorded?: ((name: string, digest: string) => Promise<Json | undefined>) | undefined;
}

/** Effects with their intent recorded before and their result after. */
export class StepRunner {
  readonly #deps: StepRunnerDeps;
  readonly #steps: Map<string, RecordedStep>;

  constructor(deps: StepRunnerDeps) {
    this.#deps = deps;
    this.#steps = recordedSteps(deps.record.events);
  }

  async run<T extends Json | undefined>(
    name: string,
    body: (call: StepCall) => Promise<T>,
    options: StepOptions,
  ): Promise<T> {
    const { record, session, turn } = this.#deps;
    const step = record.next(name);
    const known = this.#steps.get(step);
    if (known?.outcome === "completed") return known.body.output as T;
    if (known?.outcome === "failed") throw failedBefore(step, known.body);
    if (known?.outcome === "open") await this.#decideUncertain(step, known, options);
    await this.#deps.admit();
    const fingerprint = digest(options.arguments);
    if (options.pure !== true && this.#deps.recorded !== undefined) {
      return (await this.#fromOrigin(name, step, fingerprint)) as T;
    }
    const idempotencyKey = `${session}:${turn}:${step}`;
    const intent = { name, idempotencyKey, digest: fingerprint };
    return this.#attempt(step, (known?.attempts ?? 0) + 1, intent, body, options);
  }

  async #attempt<T extends Json | undefined>(
    step: string,
    first: number,
    intent: { readonly name: string; readonly idempotencyKey: string; readonly digest: string },
    body: (call: StepCall) => Promise<T>,
    { retry }: StepOptions,
  ): Promise<T> {
    const { record, clock, signal } = this.#deps;
    for (let attempt = first; ; attempt++) {
      signal.throwIfAborted();
      await record.append([{ type: "step.started", step, attempt, body: intent }]);
      try {
        const given = await body({ idempotencyKey: intent.idempotencyKey, attempt, signal });
        const output = asJson(given, `The result of step ${step}`);
        const [event] = await record.append([{ type: "step.completed", step, attempt, body: { output } }]);
        return fieldsOf(event?.body).output as T;
      } catch (error) {
        if (this.#ends(error)) throw error;
        const waitMs = retry?.(error, attempt);
        const final = waitMs === undefined;
        await record.append([{ type: "step.failed", step, attempt, body: { ...errorBody(error), final } }]);
        if (final) throw error;
        await clock.sleep(waitMs, { signal });
      }
    }
  }

  /** Errors that end the run rather than the step. */
  #ends(error: unknown): boolean {
    if (this.#deps.signal.aborted || this.#deps.record.broken !== undefined) return true;
    return error instanceof Suspension || (RuntimeError.is(error) && error.code === "RUNTIME_FENCED");
  }

  async #decideUncertain(
    step: string,
    { attempts, body }: RecordedStep,
    { onUncertain = "retry" }: StepOptions,
  ): Promise<void> {
    if (onUncertain === "retry") return;
    if (onUncertain === "ask") {
      const reason = "The process ended between the start of this step and its result: it may have happened.";
      const request = { action: "step.retry", resource: step, reason };
      if ((await this.#deps.ask(`retry:${step}:${attempts}`, request)).allow) return;
    }
    const message = `Step ${step} started and nobody knows how it ended. Look at what it acts on, then answer or requeue.`;
    const failure = { code: "RUNTIME_STEP_UNCERTAIN", message, final: true };
    await this.#deps.record.append([{ type: "step.failed", step, attempt: attempts, body: failure }]);
    throw new RuntimeError("RUNTIME_STEP_UNCERTAIN", `${message} Its key: ${String(body.idempotencyKey)}.`);
  }

  async #fromOrigin(name: string, step: string, fingerprint: string): Promise<Json> {
    const output = await this.#deps.recorded?.(name, fingerprint);
    if (output === undefined) throw refused(`Step ${step} would act outside`);
    await this.#deps.record.append([{ type: "step.completed", step, attempt: 0, body: { output, recorded: true } }]);
    return output;
  }
}

/** A fork with recorded effects came to something that its origin never did. */
export const refused = (what: string): RuntimeError =>
  new RuntimeError(
    "RUNTIME_DENIED",
    `${what}, and the recorded session never did this. Fork with live effects to allow it.`,
  );
