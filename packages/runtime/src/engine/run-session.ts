import type { Agent } from "../agent.ts";
import type { CallContext, Clock, Json } from "../dialect.ts";
import { RuntimeError } from "../errors.ts";
import type { LiveBus, LiveMessage } from "../live-bus.ts";
import { INPUT_FENCE, type SessionEvent } from "../session-event.ts";
import type { Claim, Release, SessionLog, SessionStatus } from "../session-log.ts";
import { recordActive } from "./active-time.ts";
import type { Agents } from "./agents.ts";
import type { Draft, Journal } from "./journal.ts";
import type { Outward } from "./outward.ts";
import { readAll } from "./read-all.ts";
import { recordedEffects } from "./recorded-effects.ts";
import { inSpan } from "./spans.ts";
import {
  CONTROL,
  type OpenTurn,
  readState,
  type SessionState,
  startsTurn,
  usageOf,
  usedSince,
  withReport,
  writeState,
} from "./state.ts";
import { errorBody } from "./steps.ts";
import { Interruption, Suspension } from "./suspension.ts";
import { Tail } from "./tail.ts";
import { TurnSession } from "./turn-session.ts";

export interface RunDeps {
  readonly log: SessionLog;
  readonly journal: Journal;
  readonly live: LiveBus;
  readonly clock: Clock;
  readonly agents: Agents;
  readonly outward: Outward;
  /** A turn whose process died this often is parked. */
  readonly maxCrashes: number;
}

/** How long a session waits whose agent or version this worker does not have. */
const UNKNOWN_AGENT_MS = 5_000;

/** Most turns are over before anyone could speak to them: a session is listened to when it has run for so long. */
const LISTEN_AFTER_MS = 10;

interface Begun {
  readonly open: OpenTurn;
  readonly input: SessionEvent;
  /** From its `turn.started` on. */
  readonly events: readonly [SessionEvent, ...SessionEvent[]];
}

/** One claim of one session: takes its turns until it idles, waits, ends or is taken away. */
export class SessionRun {
  readonly #deps: RunDeps;
  readonly #context: CallContext;
  readonly #session: string;
  readonly #claim: Claim;
  #controller = new AbortController();
  #leaving: Interruption | undefined;
  #state: SessionState;
  /** Inputs beyond what it has seen wake the session again when it is released. */
  readonly #tail: Tail;
  /** Inputs that were read and not yet taken. */
  readonly #inputs: SessionEvent[] = [];
  #startedAt: number;
  /** `seq` of the `turn.started` of the turn under way. */
  #turnFrom: number | undefined;
  /** Someone spoke to the session, perhaps before its turn was under way. */
  #spokenTo = false;

  constructor(deps: RunDeps, { principal: { tenant } }: CallContext, claim: Claim) {
    const { id, agent, agentVersion, state, head } = claim.record;
    this.#deps = deps;
    this.#claim = claim;
    this.#session = id;
    this.#context = { principal: { tenant, agent, agentVersion, session: id } };
    this.#state = readState(state);
    this.#tail = new Tail(this.#state.consumed, head);
    this.#startedAt = deps.clock.now();
  }

  /** Ends the turn under way and takes no other: for drains, and when the claim is lost. */
  leave(by: "drain" | "fenced"): void {
    this.#leaving = new Interruption(by);
    this.#controller.abort(this.#leaving);
  }

  /** Looks for what speaks to the turn under way: a newer claim, an interrupt, a request to stop. */
  async check(): Promise<void> {
    if (this.#turnFrom === undefined) return;
    const record = await this.#deps.log.get(this.#context, this.#session);
    if (record?.fence !== this.#claim.fence) return this.leave("fenced");
    for await (const { type } of readAll(this.#deps.log, this.#context, this.#session, this.#turnFrom)) {
      if (type === CONTROL.stop) this.#controller.abort(new Interruption("stop"));
      if (type === CONTROL.interrupt) this.#controller.abort(new Interruption("interrupt"));
    }
  }

  async run(): Promise<void> {
    const deaf = this.#listen();
    try {
      await this.#turns();
    } catch (error) {
      if (!(RuntimeError.is(error) && error.code === "RUNTIME_FENCED")) throw error;
    } finally {
      await deaf();
    }
  }

  #listen(): () => Promise<void> {
    let listening: Promise<AsyncDisposable | undefined> | undefined;
    const timer = setTimeout(() => {
      const heard = ({ type }: LiveMessage) => {
        if (type !== "control") return;
        this.#spokenTo = true;
        void this.check().catch(() => {});
      };
      listening = this.#deps.live.subscribe(this.#context, this.#session, heard).catch(() => undefined);
      void listening.then(() => this.check()).catch(() => {});
    }, LISTEN_AFTER_MS);
    return async () => {
      clearTimeout(timer);
      await (await listening)?.[Symbol.asyncDispose]();
    };
  }

  async #turns(): Promise<void> {
    const { agents, clock } = this.#deps;
    const { agent: name, agentVersion, status, head } = this.#claim.record;
    if (status === "parked") return this.#release({ seen: head });
    const agent = await agents.find(this.#context, name, agentVersion);
    if (agent === undefined) return this.#release({ seen: head, wakeAt: clock.now() + UNKNOWN_AGENT_MS });
    if (this.#state.open !== undefined && this.#claim.tookOverFrom !== undefined) {
      if ((await this.#recover(this.#state.open)) === "parked") return;
    }
    await this.#report();
    for (;;) {
      if (this.#leaving !== undefined) return this.#release({ wakeAt: clock.now() });
      const { open } = this.#state;
      const begun = open === undefined ? await this.#nextTurn() : await this.#resumed(open);
      if (begun === "stopped") return this.#finish("cancelled");
      if (begun === undefined) return this.#idle(agent);
      if ((await this.#turn(agent, begun)) === "released") return;
      await this.#report();
    }
  }

  async #recover(open: OpenTurn): Promise<"parked" | "recovered"> {
    const crashes = open.crashes + 1;
    this.#state = { ...this.#state, open: { ...open, crashes } };
    const drafts: Draft[] = [{ type: "session.recovered", turn: open.turn, body: { crashes } }];
    if (crashes <= this.#deps.maxCrashes) {
      await this.#append(drafts, "running");
      return "recovered";
    }
    const reason = `The process died ${crashes} times in turn ${open.turn}. Find out why, then requeue the session.`;
    const placed = await this.#append(
      [...drafts, { type: "session.parked", turn: open.turn, body: { reason } }],
      "parked",
    );
    await this.#release({ seen: placed.at(-1)?.seq ?? this.#tail.seen });
    return "parked";
  }

  /** Starts the turn of the next input; `undefined` when there is none. */
  async #nextTurn(): Promise<Begun | "stopped" | undefined> {
    if (this.#tail.behind) await this.#read(this.#tail.seen);
    for (let input = this.#inputs.shift(); input !== undefined; input = this.#inputs.shift()) {
      if (input.type === CONTROL.stop) return "stopped";
      if (!startsTurn(input)) continue;
      const open: OpenTurn = { turn: this.#state.turns + 1, input: input.seq, crashes: 0 };
      const { idleSince: _, ...busy } = this.#state;
      this.#state = { ...busy, turns: open.turn, consumed: input.seq, open };
      this.#spokenTo = false;
      const drafts = [{ type: "turn.started", turn: open.turn, body: { input: input.seq } }];
      const [started] = await this.#append(drafts, "running");
      return { open, input, events: [started as SessionEvent] };
    }
    return undefined;
  }

  /** A turn that was under way before. */
  async #resumed(open: OpenTurn): Promise<Begun> {
    this.#spokenTo = true;
    const [input, ...later] = await this.#read(open.input - 1);
    const from = later.findIndex(({ type, turn }) => type === "turn.started" && turn === open.turn);
    const [started, ...events] = from < 0 ? [] : later.slice(from);
    if (input === undefined || started === undefined) {
      throw new RuntimeError(
        "RUNTIME_INVALID",
        `Turn ${open.turn} of session ${this.#session} has no beginning in its log.`,
      );
    }
    return { open, input, events: [started, ...events] };
  }

  /** What lies behind `after`; what is new of it counts, and its inputs wait for their turn. */
  async #read(after: number): Promise<readonly SessionEvent[]> {
    const events: SessionEvent[] = [];
    for await (const event of readAll(this.#deps.log, this.#context, this.#session, after)) {
      events.push(event);
      if (event.seq <= this.#tail.seen) continue;
      this.#tail.read(event);
      this.#state = withReport(this.#state, event);
      if (event.fence === INPUT_FENCE) this.#inputs.push(event);
    }
    return events;
  }

  async #turn(agent: Agent, { open, input, events }: Begun): Promise<"completed" | "released"> {
    const { log } = this.#deps;
    const [started] = events;
    this.#turnFrom = started.seq;
    this.#controller = new AbortController();
    if (this.#leaving !== undefined) this.#controller.abort(this.#leaving);
    const { signal } = this.#controller;
    const { fork } = this.#state;
    const turn = new TurnSession({
      ...this.#deps,
      agent,
      session: this.#session,
      context: { ...this.#context, signal },
      signal,
      fence: this.#claim.fence,
      open,
      state: this.#state,
      tail: this.#tail,
      events,
      activeMs: () => this.#activeMs(),
      ...(fork?.effects === "recorded" ? { recorded: recordedEffects(log, this.#context, fork.session) } : {}),
    });
    const attributes = {
      "gen_ai.operation.name": "invoke_agent",
      "gen_ai.agent.name": agent.name,
      "gen_ai.agent.version": this.#claim.record.agentVersion,
      "gen_ai.conversation.id": this.#session,
      "ashlar.tenant": this.#context.principal.tenant,
      "ashlar.session.turn": open.turn,
      "ashlar.session.crashes": open.crashes,
    };
    const { seq, type, body = null, at } = input;
    const parent = started.traceparent ?? input.traceparent;
    if (this.#spokenTo) await this.check();
    const run = async () => {
      signal.throwIfAborted();
      return agent.run(turn, { seq, type, body, at });
    };
    const outcome = await inSpan(`invoke_agent ${agent.name}`, attributes, run, { parent }).then(
      (output) => ({ output: output ?? undefined }),
      (error: unknown) => ({ error: signal.aborted ? signal.reason : error }),
    );
    this.#turnFrom = undefined;
    this.#state = turn.state;
    if (turn.broken !== undefined) throw turn.broken;
    if ("error" in outcome) return this.#unfinished(outcome.error, open);
    await this.#close("turn.completed", open, outcome.output === undefined ? {} : { output: outcome.output });
    return "completed";
  }

  /** The body did not return: it waits, was told to end, or failed. */
  async #unfinished(error: unknown, open: OpenTurn): Promise<"completed" | "released"> {
    if (RuntimeError.is(error) && error.code === "RUNTIME_FENCED") throw error;
    if (error instanceof Suspension) {
      await this.#rest("session.status_waiting", "waiting", { on: error.on }, error.wakeAt);
      return "released";
    }
    if (!(error instanceof Interruption)) {
      const body = errorBody(error);
      await this.#close("turn.failed", open, body, [{ type: "session.error", turn: open.turn, body }]);
      return "completed";
    }
    if (error.by === "fenced") return "released";
    if (error.by === "drain") return "completed";
    await this.#close("turn.interrupted", open, { by: error.by });
    if (error.by === "interrupt") return "completed";
    await this.#finish("cancelled");
    return "released";
  }

  async #close(type: string, open: OpenTurn, body: Json, before: readonly Draft[] = []): Promise<void> {
    const { open: _, ...closed } = this.#state;
    const status = type.slice("turn.".length);
    const told = status === "failed" ? { error: body } : status === "completed" ? { ...(body as object) } : {};
    this.#state = this.#owing(closed, { status, ...told });
    await this.#append([...before, { type, turn: open.turn, body }]);
  }

  async #finish(status: "completed" | "cancelled" | "expired"): Promise<void> {
    this.#state = this.#owing(this.#state, { status: "ended" });
    await this.#append([{ type: "session.ended", body: { status } }], "ended");
    await this.#report();
    await this.#release({});
  }

  /** Nothing to do: the session idles, or ends when it has done so for too long. */
  async #idle({ expireAfterMs }: Agent): Promise<void> {
    const now = this.#deps.clock.now();
    const { idleSince } = this.#state;
    const expiresAt = expireAfterMs === undefined ? undefined : (idleSince ?? now) + expireAfterMs;
    if (idleSince !== undefined) {
      if (expiresAt !== undefined && expiresAt <= now) return this.#finish("expired");
      if (this.#claim.record.status === "idle")
        return this.#release(expiresAt === undefined ? {} : { wakeAt: expiresAt });
    }
    this.#state = { ...this.#state, idleSince: idleSince ?? now };
    await this.#rest("session.status_idle", "idle", {}, expiresAt);
  }

  async #rest(type: string, status: "idle" | "waiting", body: { [key: string]: Json }, wakeAt?: number): Promise<void> {
    const activeMs = this.#activeMs();
    const release = { seen: this.#tail.seen, ...(wakeAt === undefined ? {} : { wakeAt }) };
    await this.#append([{ type, body: { ...body, usage: { ...usageOf(this.#state), activeMs } } }], status, release);
    if (wakeAt !== undefined && status === "waiting") await this.#deps.outward.wake(this.#claim.record, wakeAt);
  }

  #owing(state: SessionState, report: { readonly [key: string]: Json }): SessionState {
    if (state.parent === undefined) return state;
    return { ...state, owed: { session: this.#session, turn: state.turns, ...report } };
  }

  /** Tells the parent what it is owed, also after a crash that came between. */
  async #report(): Promise<void> {
    const { owed, parent, told, ...state } = this.#state;
    if (owed === undefined || parent === undefined) return;
    const { turn, status, ...report } = owed as { readonly [key: string]: Json };
    const usage = usageOf(this.#state);
    const body = { ...report, status: status ?? null, usage: { ...usedSince(usage, told) } };
    const key = `child:${this.#session}:${String(status === "ended" ? status : turn)}`;
    await this.#deps.outward.report(this.#context, parent.session, body, key);
    this.#state = { ...state, parent, told: usage };
  }

  #release({ seen = this.#tail.seen, wakeAt }: { readonly seen?: number; readonly wakeAt?: number }): Promise<void> {
    const options = wakeAt === undefined ? { seen } : { seen, wakeAt };
    return this.#deps.log.release(this.#context, this.#session, this.#claim.fence, options).then(() => {});
  }

  #activeMs(): number {
    return this.#state.activeMs + Math.max(0, this.#deps.clock.now() - this.#startedAt);
  }

  async #append(drafts: readonly Draft[], status?: SessionStatus, release?: Release): Promise<readonly SessionEvent[]> {
    const { agent } = this.#claim.record;
    const activeMs = this.#activeMs();
    const ranMs = activeMs - this.#state.activeMs;
    this.#state = { ...this.#state, activeMs };
    this.#startedAt = this.#deps.clock.now();
    const placed = await this.#deps.journal.append(this.#context, this.#session, this.#claim.fence, drafts, {
      ...(status === undefined ? {} : { status }),
      state: writeState(this.#state),
      ...(release === undefined ? {} : { release }),
    });
    this.#tail.wrote(placed);
    recordActive(ranMs, { tenant: this.#context.principal.tenant, agent });
    return placed;
  }
}
