import type { Agent } from "./agent.ts";
import type { CallContext, Clock, IdSource, Json, Metadata, Page } from "./dialect.ts";
import { type Check, checkSession } from "./engine/check.ts";
import type { Journal } from "./engine/journal.ts";
import { Operator } from "./engine/operator.ts";
import { readAll } from "./engine/read-all.ts";
import { CONTROL, foldState, newState, readState, writeState } from "./engine/state.ts";
import { RuntimeError } from "./errors.ts";
import { follow } from "./follow.ts";
import { notFound, unknownAgent } from "./internal/session-errors.ts";
import type { LiveBus } from "./live-bus.ts";
import type { SessionEvent } from "./session-event.ts";
import type { SessionLog, SessionQuery, SessionRecord } from "./session-log.ts";
import type { WorkQueue } from "./work-queue.ts";

export interface SessionsDeps {
  readonly log: SessionLog;
  readonly queue: WorkQueue;
  readonly journal: Journal;
  readonly live: LiveBus;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly agents: () => readonly Agent[];
}

export interface OpenSession {
  readonly agent: string;
  /** A version of the agent. Default: the newest that is defined here. */
  readonly qualifier?: string;
  /** Chosen by the caller; opening again with it gives the same session. */
  readonly externalId?: string;
  readonly metadata?: Metadata;
}

/** A delta has no `seq`: it is a piece of an event that is still to come. */
export type StreamedEvent = SessionEvent | { readonly seq?: never; readonly type: "delta"; readonly body: Json };

export interface CheckOptions {
  /** Another version's code over the same record: whether a deploy would go on where this session is. */
  readonly agentVersion?: string;
}

/** What callers do with sessions. Fits gateway's `AgentSessions` and observability's `SessionControl`. */
export class Sessions {
  readonly #deps: SessionsDeps;
  readonly #operator: Operator;

  constructor(deps: SessionsDeps) {
    this.#deps = deps;
    this.#operator = new Operator(deps);
  }

  async agents(): Promise<Page<{ readonly name: string; readonly version: string; readonly description?: string }>> {
    const items = this.#deps.agents().map(({ name, version = "1", description }) => ({
      name,
      version,
      ...(description === undefined ? {} : { description }),
    }));
    return { items };
  }

  async open(
    context: CallContext,
    { agent: name, qualifier, externalId, metadata = {} }: OpenSession,
  ): Promise<{ id: string; status: string }> {
    const { log, journal, ids, clock, agents } = this.#deps;
    const agent = agents().findLast(
      (each) => each.name === name && (qualifier === undefined || qualifier === (each.version ?? "1")),
    );
    if (agent === undefined) {
      throw unknownAgent(name, qualifier);
    }
    const agentVersion = agent.version ?? "1";
    const body = { agent: name, agentVersion, ...(externalId === undefined ? {} : { externalId }) };
    const { record } = await log.create(context, {
      id: ids.next("ses"),
      agent: name,
      agentVersion,
      ...(externalId === undefined ? {} : { externalId }),
      status: "idle",
      metadata,
      state: writeState(newState({ priority: agent.priority ?? 0, requires: [...(agent.requires ?? [])].sort() })),
      at: clock.now(),
      events: [journal.stamp({ type: "session.created", body })],
    });
    return { id: record.id, status: record.status };
  }

  /** Puts an input into the session's inbox; a repeated `idempotencyKey` gives the first one's `seq`. */
  async send(
    context: CallContext,
    session: string,
    message: { readonly type: string; readonly body: Json },
  ): Promise<{ readonly seq: number }> {
    const { idempotencyKey } = context;
    const { event } = await this.#deposit(context, session, {
      ...message,
      ...(idempotencyKey === undefined ? {} : { idempotencyKey: `input:${idempotencyKey}` }),
    });
    return { seq: event.seq };
  }

  /** Gives a value to the `waitFor` of this name. */
  async signal(context: CallContext, session: string, name: string, value: Json = null): Promise<void> {
    await this.#deposit(context, session, { type: CONTROL.signal, body: { name, value } });
  }

  /** The first answer counts; a later one is `RUNTIME_CONFLICT`. */
  async answer(
    context: CallContext,
    session: string,
    request: string,
    answer: { readonly allow: boolean; readonly message?: string },
  ): Promise<void> {
    const asked = await this.#find(
      context,
      session,
      ({ type, body }) => type === "approval.requested" && (body as { request?: Json }).request === request,
    );
    if (asked === undefined)
      throw new RuntimeError("RUNTIME_NOT_FOUND", `Session ${session} asks nothing by the name ${request}.`);
    const body = {
      request,
      ...answer,
      ...(context.principal.user === undefined ? {} : { by: context.principal.user }),
    };
    const { duplicate } = await this.#deposit(context, session, {
      type: CONTROL.answer,
      body,
      idempotencyKey: `answer:${request}`,
    });
    if (duplicate)
      throw new RuntimeError(
        "RUNTIME_CONFLICT",
        `Request ${request} has been answered already; the first answer counts.`,
      );
  }

  /** Ends the turn under way; the session stays. */
  async interrupt(context: CallContext, session: string): Promise<void> {
    await this.#deposit(context, session, { type: CONTROL.interrupt });
  }

  /** Asks the session to end, and ends it by force after `graceMs` (default 5 s). */
  async stop(
    context: CallContext,
    session: string,
    { graceMs = 5_000 }: { readonly graceMs?: number } = {},
  ): Promise<void> {
    await this.#deposit(context, session, { type: CONTROL.stop });
    const { clock } = this.#deps;
    const deadline = AbortSignal.any([context.signal ?? new AbortController().signal]);
    const over = (async () => {
      for await (const event of this.events({ ...context, signal: deadline }, session))
        if (event.type === "session.ended") return;
    })();
    await Promise.race([over, clock.sleep(graceMs)]);
    const record = await this.get(context, session);
    if (record.status !== "ended") await this.kill(context, session);
  }

  /** Ends the session at once: whoever runs it loses the right to write, and its signal aborts. */
  kill(context: CallContext, session: string): Promise<void> {
    return this.#operator.kill(context, session);
  }

  /** Takes the session out of work until `requeue`; a turn under way is cut off and goes on from its record then. */
  park(context: CallContext, session: string, reason: string = "Parked by an operator."): Promise<void> {
    return this.#operator.park(context, session, reason);
  }

  /** Puts a parked session back to work. */
  async requeue(context: CallContext, session: string): Promise<void> {
    await this.#deps.queue.put([this.#job(await this.#operator.requeue(context, session))]);
  }

  /** Leaves an idle, parked or ended session out of lists; nothing is lost, and an input still wakes it. */
  archive(context: CallContext, session: string): Promise<void> {
    return this.#operator.archive(context, session, true);
  }

  unarchive(context: CallContext, session: string): Promise<void> {
    return this.#operator.archive(context, session, false);
  }

  /** Removes the session and all that it recorded. One that a worker holds is `RUNTIME_SESSION_BUSY`: kill it first. */
  delete(context: CallContext, session: string): Promise<void> {
    return this.#deps.log.delete(context, session);
  }

  /**
   * Runs the agent's code over every recorded turn: steps, waits and answers come from the record and nothing acts
   * outside. The first place where code and record part is given; none when the code would do what was done.
   */
  async check(context: CallContext, session: string, options: CheckOptions = {}): Promise<Check> {
    const record = await this.get(context, session);
    const version = options.agentVersion ?? record.agentVersion;
    const agent = this.#deps.agents().find((each) => each.name === record.agent && (each.version ?? "1") === version);
    if (agent === undefined) throw unknownAgent(record.agent, version);
    return checkSession(this.#deps, context, record, agent);
  }

  async get(context: CallContext, session: string): Promise<SessionRecord> {
    const record = await this.#deps.log.get(context, session);
    if (record === undefined) throw notFound(session);
    return record;
  }

  find(context: CallContext, query: SessionQuery = {}): Promise<Page<SessionRecord>> {
    return this.#deps.log.find(context, query);
  }

  /** Everything after `after`, then what comes, until the session ends or the context's signal aborts. */
  events(
    context: CallContext,
    session: string,
    options: { readonly after?: number; readonly deltas?: boolean } = {},
  ): AsyncIterable<StreamedEvent> {
    return follow(this.#deps, context, session, options);
  }

  /** A new session with the same past up to and including `afterSeq`, which the caller may steer elsewhere. */
  async fork(
    context: CallContext,
    session: string,
    {
      afterSeq,
      effects,
      agentVersion,
    }: { readonly afterSeq: number; readonly effects: "recorded" | "live"; readonly agentVersion?: string },
  ): Promise<{ readonly id: string }> {
    const { log, ids, clock, journal, queue } = this.#deps;
    const origin = await this.get(context, session);
    const past: SessionEvent[] = [];
    for await (const event of readAll(log, context, session)) if (event.seq <= afterSeq) past.push(event);
    const { priority, requires } = readState(origin.state);
    const state = foldState(past, newState({ priority, requires }));
    const now = clock.now();
    const { record } = await log.create(context, {
      id: ids.next("ses"),
      agent: origin.agent,
      agentVersion: agentVersion ?? origin.agentVersion,
      parent: session,
      status: state.open === undefined ? "idle" : "queued",
      metadata: origin.metadata,
      state: writeState({ ...state, fork: { session, afterSeq, effects } }),
      at: now,
      ...(state.open === undefined ? {} : { wakeAt: now }),
      events: [
        ...past.map(({ tenant: _t, session: _s, seq: _q, fence: _f, ...event }) => event),
        journal.stamp({ type: "session.forked", body: { from: session, afterSeq, effects } }),
      ],
    });
    if (state.open !== undefined) await queue.put([this.#job(record)]);
    return { id: record.id };
  }

  async #deposit(context: CallContext, session: string, draft: Parameters<Journal["deposit"]>[2]) {
    const placed = await this.#deps.journal.deposit(context, session, draft);
    if (!placed.duplicate) await this.#deps.queue.put([this.#job(await this.get(context, session))]);
    return placed;
  }

  #job({ id, tenant, agent, state }: SessionRecord) {
    const { priority, requires } = readState(state);
    return { session: id, lane: { tenant, agent, priority, requires }, availableAt: this.#deps.clock.now() };
  }

  async #find(
    context: CallContext,
    session: string,
    matches: (event: SessionEvent) => boolean,
  ): Promise<SessionEvent | undefined> {
    for await (const event of readAll(this.#deps.log, context, session)) if (matches(event)) return event;
    return undefined;
  }
}
