import type { Agent } from "../agent.ts";
import type { CallContext, Clock, Json } from "../dialect.ts";
import type { LiveBus } from "../live-bus.ts";
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
import type { SessionLog } from "../session-log.ts";
import { Elsewhere } from "./elsewhere.ts";
import type { Journal } from "./journal.ts";
import type { Outward } from "./outward.ts";
import { withinBudget } from "./spending.ts";
import { CONTROL, type OpenTurn, type SessionState, withUsage } from "./state.ts";
import { StepRunner } from "./step-runner.ts";
import { asJson } from "./steps.ts";
import { Suspension } from "./suspension.ts";
import type { Tail } from "./tail.ts";
import { fieldsOf, TurnRecord } from "./turn-record.ts";

export interface TurnSessionDeps {
  readonly log: SessionLog;
  readonly journal: Journal;
  readonly live: LiveBus;
  readonly clock: Clock;
  readonly outward: Outward;
  readonly agent: Agent;
  readonly session: string;
  readonly context: CallContext;
  readonly signal: AbortSignal;
  readonly fence: string;
  readonly open: OpenTurn;
  readonly state: SessionState;
  readonly tail: Tail;
  /** The turn's events so far, from its `turn.started` on. */
  readonly events: readonly SessionEvent[];
  /** Active time of the session up to this moment. */
  readonly activeMs: () => number;
  /** For a fork with recorded effects: what the origin recorded for this step. */
  readonly recorded?: (name: string, digest: string) => Promise<Json | undefined>;
}

/** One run of one turn: answers from the record as far as it goes, and adds to it from there. */
export class TurnSession implements Session {
  readonly id: string;
  readonly turn: number;
  readonly context: CallContext;
  readonly signal: AbortSignal;
  readonly resumed: boolean;
  readonly #deps: TurnSessionDeps;
  readonly #record: TurnRecord;
  readonly #steps: StepRunner;
  readonly #elsewhere: Elsewhere;

  constructor(deps: TurnSessionDeps) {
    const { session, context, signal, clock, open, agent, events } = deps;
    const turn = open.turn;
    this.#deps = deps;
    this.id = session;
    this.turn = turn;
    this.context = context;
    this.signal = signal;
    this.resumed = events.length > 1;
    this.#record = new TurnRecord({ ...deps, turn });
    const record = this.#record;
    this.#steps = new StepRunner({
      ...{ record, clock, session, turn, signal, recorded: deps.recorded },
      admit: () => this.#admit(),
      ask: (name, request) => this.ask(name, request),
    });
    this.#elsewhere = new Elsewhere({ ...deps, record, turn, limits: agent.children ?? {} });
  }

  /** The state with what this run has changed. */
  get state(): SessionState {
    return this.#record.state;
  }

  /** The log did not take something: whatever the body made of it, the turn runs again. */
  get broken(): unknown {
    return this.#record.broken;
  }

  step<T extends Json | undefined>(
    name: string,
    body: (call: StepCall) => Promise<T>,
    options: StepOptions = {},
  ): Promise<T> {
    return this.#steps.run(name, body, options);
  }

  async sleep(name: string, ms: number): Promise<void> {
    const step = this.#record.next(name);
    const until = await this.#deadline("timer.started", step, ms);
    if (this.#deps.clock.now() < until) throw new Suspension("timer", until);
    await this.#record.once({ type: "timer.fired", step }, `timer:${step}`);
  }

  async waitFor(name: string, { timeoutMs }: { readonly timeoutMs?: number } = {}): Promise<Json | undefined> {
    const record = this.#record;
    const step = record.next(`wait:${name}`);
    const done = record.find("wait.completed", step);
    if (done !== undefined) return (done.body as { readonly value?: Json }).value;
    const until = await this.#deadline("wait.started", step, timeoutMs ?? Number.POSITIVE_INFINITY);
    const taken = new Set(
      record.events.flatMap(({ type, body }) => (type === "wait.completed" ? fieldsOf(body).signal : [])),
    );
    const signal = record.events.find(
      ({ type, body, seq }) => type === CONTROL.signal && fieldsOf(body).name === name && !taken.has(seq),
    );
    if (signal !== undefined) {
      const value = fieldsOf(signal.body).value ?? null;
      await record.append([{ type: "wait.completed", step, body: { signal: signal.seq, value } }]);
      return value;
    }
    if (this.#deps.clock.now() < until) throw new Suspension("input", Number.isFinite(until) ? until : undefined);
    await record.append([{ type: "wait.completed", step, body: { timedOut: true } }]);
    return undefined;
  }

  ask(name: string, request: ApprovalRequest): Promise<{ readonly allow: boolean; readonly message?: string }> {
    return this.#ask(name, request, "approval");
  }

  spawn(name: string, child: ChildRequest): Promise<string> {
    return this.#elsewhere.spawn(name, child);
  }

  join(session: string): Promise<ChildReport> {
    return this.#elsewhere.join(session);
  }

  outside(name: string, request: OutsideRequest): Promise<Json> {
    return this.#elsewhere.outside(name, request);
  }

  async emit(type: string, body?: Json): Promise<void> {
    const key = `emit:${this.turn}:${this.#record.next(`emit:${type}`)}`;
    await this.#record.once({ type, ...(body === undefined ? {} : { body }) }, key);
  }

  async note(type: string, body?: Json): Promise<void> {
    await this.#record.append([{ type, ...(body === undefined ? {} : { body }) }]);
  }

  delta(step: string, body: Json): void {
    void this.#deps.live.publish(this.context, this.id, { type: "delta", turn: this.turn, step, body });
  }

  async meter(usage: Usage): Promise<void> {
    const record = this.#record;
    const key = `usage:${this.turn}:${record.next("usage")}`;
    if (record.has(key)) return;
    const body = asJson(usage, "The usage");
    await record.once({ type: "usage.recorded", body }, key, withUsage(record.state, usage));
  }

  usage(): SessionUsage {
    const { inputTokens, outputTokens, costMicros } = this.#record.state;
    return { inputTokens, outputTokens, costMicros, activeMs: this.#deps.activeMs() };
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

  async #admit(): Promise<void> {
    const { budget } = this.#deps.agent;
    if (budget === undefined) return;
    const ask = (name: string, request: ApprovalRequest) => this.#ask(name, request, "budget");
    await withinBudget({ record: this.#record, budget, usage: () => this.usage(), ask });
  }

  async #ask(
    name: string,
    { action, resource, reason, ...rest }: ApprovalRequest,
    on: "approval" | "budget",
  ): Promise<{ allow: boolean; message?: string }> {
    const record = this.#record;
    const step = record.next(`ask:${name}`);
    const request = `${this.turn}:${step}`;
    const body = {
      ...{ request, action },
      ...(resource === undefined ? {} : { resource }),
      ...(rest.arguments === undefined ? {} : { arguments: rest.arguments }),
      ...(reason === undefined ? {} : { reason }),
    };
    await record.once({ type: "approval.requested", step, body }, `${on === "budget" ? on : "ask"}:${request}`);
    const answered = record.told(CONTROL.answer, "request", request);
    if (answered === undefined) throw new Suspension(on);
    const { allow, message } = fieldsOf(answered.body);
    return { allow: allow === true, ...(typeof message === "string" ? { message } : {}) };
  }

  /** When the wait that began with the recorded event ends; begins it now when there is none. */
  async #deadline(type: string, step: string, ms: number): Promise<number> {
    const begun = this.#record.find(type, step);
    if (begun !== undefined) return Number(fieldsOf(begun.body).until ?? Number.POSITIVE_INFINITY);
    const until = this.#deps.clock.now() + ms;
    await this.#record.append([{ type, step, body: Number.isFinite(until) ? { until } : {} }]);
    return until;
  }
}
