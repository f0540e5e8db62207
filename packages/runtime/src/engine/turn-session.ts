import type { CallContext, Clock, Json } from "../dialect.ts";
import { RuntimeError } from "../errors.ts";
import type { LiveBus } from "../live-bus.ts";
import type { ApprovalRequest, Session, StepCall, StepOptions, Usage } from "../session.ts";
import type { SessionEvent } from "../session-event.ts";
import type { SessionChange, SessionLog } from "../session-log.ts";
import type { Draft, Journal } from "./journal.ts";
import { CONTROL, type OpenTurn, type SessionState, withUsage } from "./state.ts";
import { asJson, digest, errorBody, failedBefore, type RecordedStep, recordedSteps } from "./steps.ts";
import { Suspension } from "./suspension.ts";

export interface TurnSessionDeps {
  readonly log: SessionLog;
  readonly journal: Journal;
  readonly live: LiveBus;
  readonly clock: Clock;
  readonly session: string;
  readonly context: CallContext;
  readonly signal: AbortSignal;
  readonly fence: string;
  readonly open: OpenTurn;
  readonly state: SessionState;
  /** The turn's events so far, from its `turn.started` on. */
  readonly events: readonly SessionEvent[];
  /** For a fork with recorded effects: what the origin recorded for this step. */
  readonly recorded?: (name: string, digest: string) => Promise<Json | undefined>;
}

/** One run of one turn: answers from the record as far as it goes, and adds to it from there. */
export class TurnSession implements Session {
  readonly id: string;
  readonly turn: number;
  readonly context: CallContext;
  readonly signal: AbortSignal;
  readonly #deps: TurnSessionDeps;
  readonly #steps: Map<string, RecordedStep>;
  readonly #events: SessionEvent[];
  readonly #keys: Set<string>;
  readonly #counts = new Map<string, number>();
  #state: SessionState;

  constructor(deps: TurnSessionDeps) {
    this.#deps = deps;
    this.id = deps.session;
    this.turn = deps.open.turn;
    this.context = deps.context;
    this.signal = deps.signal;
    this.#events = [...deps.events];
    this.#steps = recordedSteps(deps.events);
    this.#keys = new Set(deps.events.flatMap(({ idempotencyKey }) => idempotencyKey ?? []));
    this.#state = deps.state;
  }

  /** The state with what this run has metered. */
  get state(): SessionState {
    return this.#state;
  }

  async step<T extends Json | undefined>(
    name: string,
    body: (call: StepCall) => Promise<T>,
    options: StepOptions = {},
  ): Promise<T> {
    const step = this.#next(name);
    const known = this.#steps.get(step);
    if (known?.outcome === "completed") return known.body.output as T;
    if (known?.outcome === "failed") throw failedBefore(step, known.body);
    if (known?.outcome === "open") await this.#decideUncertain(step, known, options);
    const idempotencyKey = `${this.id}:${this.turn}:${step}`;
    const fingerprint = digest(options.arguments);
    if (options.pure !== true && this.#state.fork?.effects === "recorded") {
      return (await this.#fromOrigin(name, step, fingerprint)) as T;
    }
    for (let attempt = (known?.attempts ?? 0) + 1; ; attempt++) {
      this.signal.throwIfAborted();
      await this.#append([
        { type: "step.started", step, attempt, body: { name, idempotencyKey, digest: fingerprint } },
      ]);
      try {
        const output = asJson(
          await body({ idempotencyKey, attempt, signal: this.signal }),
          `The result of step ${step}`,
        );
        const [event] = await this.#append([{ type: "step.completed", step, attempt, body: { output } }]);
        return fieldsOf(event?.body).output as T;
      } catch (error) {
        if (this.#ends(error)) throw error;
        const waitMs = options.retry?.(error, attempt);
        const final = waitMs === undefined;
        await this.#append([{ type: "step.failed", step, attempt, body: { ...errorBody(error), final } }]);
        if (final) throw error;
        await this.#deps.clock.sleep(waitMs, { signal: this.signal });
      }
    }
  }

  async sleep(name: string, ms: number): Promise<void> {
    const step = this.#next(name);
    const until = await this.#deadline("timer.started", step, ms);
    if (this.#deps.clock.now() < until) throw new Suspension("timer", until);
    await this.#once({ type: "timer.fired", step }, `timer:${step}`);
  }

  async waitFor(name: string, { timeoutMs }: { readonly timeoutMs?: number } = {}): Promise<Json | undefined> {
    const step = this.#next(`wait:${name}`);
    const done = this.#events.find((event) => event.type === "wait.completed" && event.step === step);
    if (done !== undefined) return (done.body as { readonly value?: Json }).value;
    const until = await this.#deadline("wait.started", step, timeoutMs ?? Number.POSITIVE_INFINITY);
    const taken = new Set(
      this.#events.flatMap(({ type, body }) => (type === "wait.completed" ? fieldsOf(body).signal : [])),
    );
    const signal = this.#events.find(
      ({ type, body, seq }) => type === CONTROL.signal && fieldsOf(body).name === name && !taken.has(seq),
    );
    if (signal !== undefined) {
      const value = fieldsOf(signal.body).value ?? null;
      await this.#append([{ type: "wait.completed", step, body: { signal: signal.seq, value } }]);
      return value;
    }
    if (this.#deps.clock.now() < until) throw new Suspension("input", Number.isFinite(until) ? until : undefined);
    await this.#append([{ type: "wait.completed", step, body: { timedOut: true } }]);
    return undefined;
  }

  async ask(
    name: string,
    { action, resource, reason, ...rest }: ApprovalRequest,
  ): Promise<{ allow: boolean; message?: string }> {
    const step = this.#next(`ask:${name}`);
    const request = `${this.turn}:${step}`;
    const body = {
      ...{ request, action },
      ...(resource === undefined ? {} : { resource }),
      ...(rest.arguments === undefined ? {} : { arguments: rest.arguments }),
      ...(reason === undefined ? {} : { reason }),
    };
    await this.#once({ type: "approval.requested", step, body }, `ask:${request}`);
    const answered = this.#events.find(
      (event) => event.type === CONTROL.answer && fieldsOf(event.body).request === request,
    );
    if (answered === undefined) throw new Suspension("approval");
    const { allow, message } = fieldsOf(answered.body);
    return { allow: allow === true, ...(typeof message === "string" ? { message } : {}) };
  }

  async emit(type: string, body?: Json): Promise<void> {
    await this.#once(
      { type, ...(body === undefined ? {} : { body }) },
      `emit:${this.turn}:${this.#next(`emit:${type}`)}`,
    );
  }

  delta(step: string, body: Json): void {
    void this.#deps.live.publish(this.context, this.id, { type: "delta", turn: this.turn, step, body });
  }

  async meter(usage: Usage): Promise<void> {
    const key = `usage:${this.turn}:${this.#next("usage")}`;
    if (this.#keys.has(key)) return;
    this.#state = withUsage(this.#state, usage);
    await this.#once({ type: "usage.recorded", body: asJson(usage, "The usage") }, key, {
      state: this.#state as unknown as Json,
    });
  }

  usage(): { readonly inputTokens: number; readonly outputTokens: number; readonly costMicros: number } {
    const { inputTokens, outputTokens, costMicros } = this.#state;
    return { inputTokens, outputTokens, costMicros };
  }

  async *history(): AsyncGenerator<SessionEvent> {
    const { log, events } = this.#deps;
    const before = (events[0]?.seq ?? 1) - 1;
    for (let after = 0; after < before; ) {
      const page = await log.read(this.context, this.id, { after, limit: Math.min(1000, before - after) });
      if (page.length === 0) return;
      yield* page;
      after += page.length;
    }
  }

  /** `name` for the first of its name in this turn, `name#2` for the second. */
  #next(name: string): string {
    const count = (this.#counts.get(name) ?? 0) + 1;
    this.#counts.set(name, count);
    return count === 1 ? name : `${name}#${count}`;
  }

  /** Errors that end the run rather than the step. */
  #ends(error: unknown): boolean {
    if (this.signal.aborted) return true;
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
      const { allow } = await this.ask(`retry:${step}:${attempts}`, { action: "step.retry", resource: step, reason });
      if (allow) return;
    }
    const message = `Step ${step} started and nobody knows how it ended. Look at what it acts on, then answer or requeue.`;
    await this.#append([
      { type: "step.failed", step, attempt: attempts, body: { code: "RUNTIME_STEP_UNCERTAIN", message, final: true } },
    ]);
    throw new RuntimeError("RUNTIME_STEP_UNCERTAIN", `${message} Its key: ${String(body.idempotencyKey)}.`);
  }

  async #fromOrigin(name: string, step: string, fingerprint: string): Promise<Json> {
    const output = await this.#deps.recorded?.(name, fingerprint);
    if (output === undefined) {
      throw new RuntimeError(
        "RUNTIME_DENIED",
        `Step ${step} would act outside, and the recorded session never did this. Fork with live effects to allow it.`,
      );
    }
    await this.#append([{ type: "step.completed", step, attempt: 0, body: { output, recorded: true } }]);
    return output;
  }

  /** When the wait that began with the recorded event ends; begins it now when there is none. */
  async #deadline(type: string, step: string, ms: number): Promise<number> {
    const begun = this.#events.find((event) => event.type === type && event.step === step);
    if (begun !== undefined) return Number(fieldsOf(begun.body).until ?? Number.POSITIVE_INFINITY);
    const until = this.#deps.clock.now() + ms;
    await this.#append([{ type, step, body: Number.isFinite(until) ? { until } : {} }]);
    return until;
  }

  async #once(draft: Omit<Draft, "idempotencyKey" | "turn">, key: string, change?: SessionChange): Promise<void> {
    if (this.#keys.has(key)) return;
    await this.#append([{ ...draft, idempotencyKey: key }], change);
  }

  async #append(drafts: readonly Omit<Draft, "turn">[], change?: SessionChange): Promise<readonly SessionEvent[]> {
    const { journal, fence } = this.#deps;
    const placed = await journal.append(
      this.context,
      this.id,
      fence,
      drafts.map((draft) => ({ ...draft, turn: this.turn })),
      change,
    );
    for (const event of placed) {
      this.#events.push(event);
      if (event.idempotencyKey !== undefined) this.#keys.add(event.idempotencyKey);
    }
    return placed;
  }
}

const fieldsOf = (body: Json | undefined): { readonly [key: string]: Json } =>
  (body ?? {}) as { readonly [key: string]: Json };
