import type { CallContext, Json } from "../dialect.ts";
import { RuntimeError } from "../errors.ts";
import type {
  ApprovalRequest,
  ChildReport,
  ChildRequest,
  OutsideRequest,
  Session,
  SessionUsage,
  StepCall,
  StepOptions,
  Usage,
} from "../session.ts";
import type { SessionEvent } from "../session-event.ts";
import { outcome } from "./elsewhere.ts";
import { CONTROL, type SessionState, usageOf } from "./state.ts";
import { asJson, digest, failedBefore, type RecordedStep, recordedSteps } from "./steps.ts";

/** Where code and record part. */
export interface Divergence {
  readonly turn: number;
  /** The recorded event, when there is one. */
  readonly seq?: number;
  readonly step?: string;
  readonly what: string;
  readonly recorded?: Json;
  readonly now?: Json;
}

/** The record ends in the middle of the turn: there is nothing more to compare. */
export class EndOfRecord extends Error {
  override readonly name = "EndOfRecord";
}

export interface CheckedTurnDeps {
  readonly session: string;
  readonly turn: number;
  readonly context: CallContext;
  /** Events before the turn, and from its `turn.started` to the next one's. */
  readonly before: readonly SessionEvent[];
  readonly during: readonly SessionEvent[];
  readonly state: SessionState;
  readonly redact: (body: Json) => Json;
}

const closes: ReadonlySet<string> = new Set(["turn.completed", "turn.failed"]);

/** A turn that only reads: whatever the record does not answer ends it. */
export class CheckedTurn implements Session {
  readonly id: string;
  readonly turn: number;
  readonly context: CallContext;
  readonly signal: AbortSignal;
  readonly resumed = false;
  divergence: Divergence | undefined;
  over = false;
  readonly #deps: CheckedTurnDeps;
  readonly #steps: Map<string, RecordedStep>;
  readonly #closed: boolean;
  readonly #counts = new Map<string, number>();
  readonly #taken = new Set<SessionEvent>();

  constructor(deps: CheckedTurnDeps) {
    this.#deps = deps;
    this.id = deps.session;
    this.turn = deps.turn;
    this.signal = deps.context.signal ?? new AbortController().signal;
    this.context = { ...deps.context, signal: this.signal };
    this.#steps = recordedSteps(deps.during);
    this.#closed = deps.during.some(({ type, turn }) => turn === deps.turn && closes.has(type));
  }

  async step<T extends Json | undefined>(
    name: string,
    _body: (call: StepCall) => Promise<T>,
    options: StepOptions = {},
  ): Promise<T> {
    const step = this.#next(name);
    const known = this.#steps.get(step);
    const started = this.#take("step.started", step);
    const completed = this.#take("step.completed", step);
    if (known === undefined) throw this.#absent(`takes step ${step}`, step);
    const recorded = (started?.body as { readonly digest?: string } | undefined)?.digest;
    if (recorded !== undefined && recorded !== digest(options.arguments)) {
      const now = this.#deps.redact(options.arguments ?? null);
      throw this.#diverge({ ...at(started), step, what: `Step ${step} is given other arguments.`, now });
    }
    if (known.outcome === "failed") throw failedBefore(step, known.body);
    if (known.outcome !== "completed") throw this.#end();
    return ((completed?.body as { readonly output?: Json } | undefined)?.output ?? null) as T;
  }

  async sleep(name: string): Promise<void> {
    const step = this.#next(name);
    if (this.#take("timer.started", step) === undefined) throw this.#absent(`sleeps at ${step}`, step);
    if (this.#take("timer.fired", step) === undefined) throw this.#end();
  }

  async waitFor(name: string): Promise<Json | undefined> {
    const step = this.#next(`wait:${name}`);
    if (this.#take("wait.started", step) === undefined) throw this.#absent(`waits for ${name}`, step);
    const done = this.#take("wait.completed", step);
    if (done === undefined) throw this.#end();
    return (done.body as { readonly value?: Json }).value;
  }

  async ask(
    name: string,
    { action, resource }: ApprovalRequest,
  ): Promise<{ readonly allow: boolean; readonly message?: string }> {
    const step = this.#next(`ask:${name}`);
    const asked = this.#take("approval.requested", step);
    if (asked === undefined) throw this.#absent(`asks for ${name}`, step);
    const { action: before, resource: about, request } = asked.body as { readonly [key: string]: Json };
    const [recorded, now] = [
      { action: before ?? null, resource: about ?? null },
      this.#deps.redact({ action, resource: resource ?? null }),
    ];
    if (digest(recorded) !== digest(now)) {
      throw this.#diverge({ ...at(asked), step, what: `Another thing is asked at ${step}.`, recorded, now });
    }
    const answer = this.#deps.during.find(
      ({ type, body }) => type === CONTROL.answer && (body as { readonly request?: Json }).request === request,
    );
    if (answer === undefined) throw this.#end();
    const { allow, message } = answer.body as { readonly [key: string]: Json };
    return { allow: allow === true, ...(typeof message === "string" ? { message } : {}) };
  }

  async emit(type: string, body?: Json): Promise<void> {
    const emitted = this.#keyed(`emit:${this.turn}:${this.#next(`emit:${type}`)}`);
    if (emitted === undefined) throw this.#absent(`emits ${type}`);
    const [recorded, now] = [emitted.body ?? null, this.#deps.redact(asJson(body, "The event"))];
    if (digest(recorded) !== digest(now)) {
      throw this.#diverge({ ...at(emitted), what: `Another ${type} is emitted.`, recorded, now });
    }
  }

  async note(): Promise<void> {}

  delta(): void {}

  async spawn(name: string, { agent }: ChildRequest): Promise<string> {
    const step = this.#next(`spawn:${name}`);
    const started = this.#take("child.started", step);
    if (started === undefined) throw this.#absent(`spawns a session at ${step}`, step);
    const { session, agent: recorded = null } = started.body as { readonly [key: string]: Json };
    if (recorded !== agent) {
      throw this.#diverge({ ...at(started), step, what: `Another agent is spawned at ${step}.`, recorded, now: agent });
    }
    return String(session);
  }

  async join(session: string): Promise<ChildReport> {
    const report = this.#deps.during.find(
      ({ type, body }) => type === CONTROL.child && (body as { readonly session?: Json }).session === session,
    );
    if (report === undefined) throw this.#end();
    const { status, output, error } = report.body as unknown as ChildReport;
    return { status, ...(output === undefined ? {} : { output }), ...(error === undefined ? {} : { error }) };
  }

  async outside(name: string, { environment, input }: OutsideRequest): Promise<Json> {
    const step = this.#next(`outside:${name}`);
    const requested = this.#take("work.requested", step);
    const completed = this.#take("work.completed", step);
    if (requested === undefined) throw this.#absent(`gives ${step} outside`, step);
    const { environment: where = null, input: what = null } = requested.body as { readonly [key: string]: Json };
    const [recorded, now] = [{ where, what }, this.#deps.redact({ where: environment, what: input })];
    if (digest(recorded) !== digest(now)) {
      throw this.#diverge({ ...at(requested), step, what: `Other work is given outside at ${step}.`, recorded, now });
    }
    if (completed === undefined) throw this.#end();
    return outcome(step, completed.body);
  }

  async meter(_usage: Usage): Promise<void> {
    if (this.#keyed(`usage:${this.turn}:${this.#next("usage")}`) === undefined) throw this.#absent("meters usage");
  }

  usage(): SessionUsage {
    return usageOf(this.#deps.state);
  }

  async *history(): AsyncGenerator<SessionEvent> {
    yield* this.#deps.before;
  }

  /** What the record holds of this turn and the code did not do. */
  untaken(): Divergence | undefined {
    const left = this.#deps.during.find(
      (event) => marks.test(event.idempotencyKey ?? event.type) && !this.#taken.has(event) && event.attempt !== 0,
    );
    if (left === undefined || this.#retried(left)) return undefined;
    const step = left.step === undefined ? {} : { step: left.step };
    return this.#note({ ...at(left), ...step, what: `The record has ${left.type}, which this code does not come to.` });
  }

  /** A later try of a step that was taken. */
  #retried({ step }: SessionEvent): boolean {
    return step !== undefined && [...this.#taken].some((event) => event.step === step);
  }

  #next(name: string): string {
    if (this.divergence !== undefined || this.over) throw this.#end();
    const count = (this.#counts.get(name) ?? 0) + 1;
    this.#counts.set(name, count);
    return count === 1 ? name : `${name}#${count}`;
  }

  #take(type: string, step: string): SessionEvent | undefined {
    return this.#mark(this.#deps.during.find((event) => event.type === type && event.step === step));
  }

  #keyed(key: string): SessionEvent | undefined {
    return this.#mark(this.#deps.during.find((event) => event.idempotencyKey === key));
  }

  #mark(event: SessionEvent | undefined): SessionEvent | undefined {
    if (event !== undefined) this.#taken.add(event);
    return event;
  }

  /** Nothing recorded: a divergence where the turn is over, the end of the record where it is not. */
  #absent(what: string, step?: string): Error {
    if (!this.#closed) return this.#end();
    return this.#diverge({
      ...(step === undefined ? {} : { step }),
      what: `This code ${what}, which the record does not have.`,
    });
  }

  #end(): EndOfRecord {
    this.over = true;
    return new EndOfRecord("The record of this turn ends here; let this pass.");
  }

  #diverge(divergence: Omit<Divergence, "turn">): RuntimeError {
    return new RuntimeError("RUNTIME_DIVERGED", this.#note(divergence).what);
  }

  #note(divergence: Omit<Divergence, "turn">): Divergence {
    this.divergence ??= { turn: this.turn, ...divergence };
    return this.divergence;
  }
}

/** Events that code brings about by itself, told by their type or the key they were written under. */
const marks = /^(step\.started|timer\.started|wait\.started|work\.requested|spawn:|emit:|ask:|usage:)/;

const at = (event: SessionEvent | undefined): { readonly seq?: number } =>
  event === undefined ? {} : { seq: event.seq };
