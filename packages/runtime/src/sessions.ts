import type { AgentListing } from "./agent-source.ts";
import type { CallContext, Clock, IdSource, Json, Metadata, Page } from "./dialect.ts";
import type { Agents } from "./engine/agents.ts";
import { type Check, checkSession } from "./engine/check.ts";
import type { Journal } from "./engine/journal.ts";
import { openSession } from "./engine/opening.ts";
import { Operator } from "./engine/operator.ts";
import type { Outward } from "./engine/outward.ts";
import { readAll } from "./engine/read-all.ts";
import { CONTROL, foldState, newState, readState, usedSince, writeState } from "./engine/state.ts";
import { RuntimeError } from "./errors.ts";
import { follow } from "./follow.ts";
import { notFound, unknownAgent } from "./internal/session-errors.ts";
import type { LiveBus } from "./live-bus.ts";
import type { NewEvent, SessionEvent } from "./session-event.ts";
import type { SessionLog, SessionQuery, SessionRecord } from "./session-log.ts";
import type { ToolResult } from "./tool-source.ts";
import type { WorkQueue } from "./work-queue.ts";

export interface SessionsDeps {
  readonly log: SessionLog;
  readonly queue: WorkQueue;
  readonly journal: Journal;
  readonly live: LiveBus;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly agents: Agents;
  readonly outward: Outward;
}

export interface OpenSession {
  readonly agent: string;
  /** A version or an endpoint of the agent; the session keeps the version. Default: the newest. */
  readonly qualifier?: string;
  /** Chosen by the caller; opening again with it gives the same session. */
  readonly externalId?: string;
  readonly metadata?: Metadata;
}

/**
 * A delta has no `seq`: it is a piece of an event that is still to come. Nor has a snapshot, which a stream gives
 * first: the session's record as it stands.
 */
export type StreamedEvent =
  | SessionEvent
  | { readonly seq?: never; readonly type: "delta" | "session.snapshot"; readonly body: Json };

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

  agents(context: CallContext, query: { readonly cursor?: string } = {}): Promise<Page<AgentListing>> {
    return this.#deps.agents.list(context, query);
  }

  async open(context: CallContext, request: OpenSession): Promise<{ id: string; status: string }> {
    const { id, status } = await openSession(this.#deps, context, request);
    return { id, status };
  }

  /** Puts an input of up to 100 MB into the session's inbox; a repeated `idempotencyKey` gives the first one's `seq`. */
  async send(
    context: CallContext,
    session: string,
    message: { readonly type: string; readonly body: Json },
  ): Promise<{ readonly seq: number }> {
    const { idempotencyKey } = context;
    checkSize(message.body);
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

  /** Gives the result of a tool that the client executes: the `id` is that of `agent.custom_tool_use`. The first counts. */
  async toolResult(context: CallContext, session: string, id: string, result: ToolResult): Promise<void> {
    const asked = await this.#find(
      context,
      session,
      ({ type, body }) => type === "agent.custom_tool_use" && (body as { readonly id?: Json }).id === id,
    );
    if (asked === undefined) {
      throw new RuntimeError(
        "RUNTIME_NOT_FOUND",
        `Session ${session} has called no tool of the client by the id ${id}.`,
      );
    }
    const { duplicate } = await this.#deposit(context, session, {
      type: CONTROL.signal,
      body: { name: `tool:${id}`, value: { ...result } as unknown as Json },
      idempotencyKey: `tool:${id}`,
    });
    if (duplicate)
      throw new RuntimeError("RUNTIME_CONFLICT", `Tool call ${id} has its result already; the first counts.`);
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
      for await (const event of this.events({ ...context, signal: deadline }, session, { snapshot: false }))
        if (event.type === "session.ended") return;
    })();
    await Promise.race([over, clock.sleep(graceMs)]);
    const record = await this.get(context, session);
    if (record.status !== "ended") return this.kill(context, session);
    await this.#killChildren(context, session);
  }

  /** Ends the session at once, and those it has spawned: whoever runs it loses the right to write, and its signal aborts. */
  async kill(context: CallContext, session: string): Promise<void> {
    const { state } = await this.get(context, session);
    await this.#operator.kill(context, session);
    const { parent, told, ...used } = readState(state);
    const report = { session, status: "ended", usage: { ...usedSince(used, told) } };
    if (parent !== undefined)
      await this.#deps.outward.report(context, parent.session, report, `child:${session}:ended`);
    await this.#killChildren(context, session);
  }

  /** Takes the session out of work until `requeue`; a turn under way is cut off and goes on from its record then. */
  park(context: CallContext, session: string, reason: string = "Parked by an operator."): Promise<void> {
    return this.#operator.park(context, session, reason);
  }

  /** Puts a parked session back to work. */
  async requeue(context: CallContext, session: string): Promise<void> {
    await this.#deps.queue.put([this.#deps.outward.job(await this.#operator.requeue(context, session))]);
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
    const agent = await this.#deps.agents.find(context, record.agent, version);
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

  /**
   * A snapshot (unless it is declined), everything after `after`, then what comes, until the session ends or the
   * context's signal aborts. Resumes from any number; pieces (`deltas`) are not repeated.
   */
  events(
    context: CallContext,
    session: string,
    options: { readonly after?: number; readonly deltas?: boolean; readonly snapshot?: boolean } = {},
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
        ...past.map(({ tenant: _t, session: _s, seq: _q, fence: _f, ...event }) => owned(event)),
        journal.stamp({ type: "session.forked", body: { from: session, afterSeq, effects } }),
      ],
    });
    if (state.open !== undefined) await queue.put([this.#deps.outward.job(record)]);
    return { id: record.id };
  }

  #deposit(context: CallContext, session: string, draft: Parameters<Journal["deposit"]>[2]) {
    return this.#deps.outward.deposit(context, session, draft);
  }

  async #killChildren(context: CallContext, parent: string): Promise<void> {
    for (let cursor: string | undefined; ; ) {
      const page = await this.find(context, { parent, ...(cursor === undefined ? {} : { cursor }) });
      for (const { id, status, state } of page.items) {
        if (status === "ended" || readState(state).parent === undefined) continue;
        await this.kill(context, id).catch((error) => {
          if (!(RuntimeError.is(error) && error.code === "RUNTIME_SESSION_ENDED")) throw error;
        });
      }
      cursor = page.cursor;
      if (cursor === undefined) return;
    }
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

/** As much as the hosted services take. */
const LARGEST_BODY = 100_000_000;

function checkSize(body: Json): void {
  const size = JSON.stringify(body)?.length ?? 0;
  if (size <= LARGEST_BODY) return;
  throw new RuntimeError(
    "RUNTIME_TOO_LARGE",
    `The message has ${size} characters of JSON, over the limit of ${LARGEST_BODY}: send a reference to it instead.`,
  );
}

/** With its body, an event of a fork needs no part in the blob of its origin, which may be deleted. */
function owned({ blob, ...event }: NewEvent): NewEvent {
  return blob === undefined || event.body !== undefined ? event : { ...event, blob };
}
