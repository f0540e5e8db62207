import type { CallContext, Json, Metadata } from "./dialect.ts";
import type { SessionEvent } from "./session-event.ts";

export interface StepCall {
  /** The same for every try of this step, also after a crash: give it to whoever receives the effect. */
  readonly idempotencyKey: string;
  /** 1 for the first try. */
  readonly attempt: number;
  readonly signal: AbortSignal;
}

export interface StepOptions {
  /** What the step acts on: its digest is recorded before the effect. */
  readonly arguments?: Json;
  /**
   * What to do when the log holds the start of a step and not its end, so that nobody knows whether the effect took
   * place: `retry` (default; the effect then happens at least once), `fail`, or `ask` a person.
   */
  readonly onUncertain?: "ask" | "retry" | "fail";
  /** Milliseconds to wait before try `attempt + 1`, or `undefined` to give up. Default: give up at once. */
  readonly retry?: (error: unknown, attempt: number) => number | undefined;
  /** Without effects outside: a fork that replays recorded effects may run it anew. */
  readonly pure?: boolean;
}

export interface ApprovalRequest {
  readonly action: string;
  readonly resource?: string;
  readonly arguments?: Json;
  readonly reason?: string;
}

export interface Usage {
  readonly model?: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens?: number;
  /** In micro-units of `currency`. */
  readonly costMicros?: number;
  readonly currency?: string;
}

export interface SessionUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costMicros: number;
  /** Time in which a turn ran. */
  readonly activeMs: number;
}

export interface ChildRequest {
  readonly agent: string;
  /** A version or an endpoint of the agent. Default: the newest. */
  readonly qualifier?: string;
  /** Its first message. */
  readonly input: Json;
  readonly metadata?: Metadata;
}

/** How a child's turn ended, or the child itself. */
export interface ChildReport {
  readonly status: "completed" | "failed" | "interrupted" | "ended";
  readonly output?: Json;
  readonly error?: { readonly code: string; readonly message: string };
}

export interface OutsideRequest {
  /** Whose workers may take it: the name they poll with. */
  readonly environment: string;
  readonly input: Json;
  /** Without an answer by then the call fails with `RUNTIME_WAIT_TIMEOUT`. Default: never. */
  readonly timeoutMs?: number;
}

/** A session as its body sees it, for one turn. */
export interface Session {
  readonly id: string;
  readonly turn: number;
  /** For calls to neighbours: names the tenant, agent and session, and aborts with the turn. */
  readonly context: CallContext;
  readonly signal: AbortSignal;
  /** This turn has run before: a wait, a drain or a crash lies between. */
  readonly resumed: boolean;

  /**
   * Runs `body` and records its result, which later runs of the turn get from the log. The intent is recorded before
   * the effect. A recorded result is committed at most once; the effect happens at least once. Steps are told apart by
   * name and order, so a turn must take the same steps in the same order for the same record.
   */
  step<T extends Json | undefined>(
    name: string,
    body: (call: StepCall) => Promise<T>,
    options?: StepOptions,
  ): Promise<T>;
  /** Waits without a process until `ms` have passed since this line was first reached. */
  sleep(name: string, ms: number): Promise<void>;
  /** Waits without a process for a signal of this name. `undefined` when `timeoutMs` passed first. */
  waitFor(name: string, options?: { readonly timeoutMs?: number }): Promise<Json | undefined>;
  /** Waits without a process for a person's answer. */
  ask(name: string, request: ApprovalRequest): Promise<{ readonly allow: boolean; readonly message?: string }>;
  /** Starts a session of an agent with its first message, once, and gives its id. Its usage counts here as well. */
  spawn(name: string, child: ChildRequest): Promise<string>;
  /** Waits without a process until a child that this turn spawned has done its first turn, or has ended. */
  join(session: string): Promise<ChildReport>;
  /** Waits without a process until a worker outside of this runtime has done this: see `OutsideWork`. */
  outside(name: string, request: OutsideRequest): Promise<Json>;
  /** Appends an event, once: a later run of the turn finds it there. */
  emit(type: string, body?: Json): Promise<void>;
  /** Appends an event every time, also in a later run: for what happens to the run itself. */
  note(type: string, body?: Json): Promise<void>;
  /** A piece of something whose whole will be an event: best effort, never in the log. */
  delta(step: string, body: Json): void;
  /** Counts towards the session's usage; recorded once per name and order, like a step. */
  meter(usage: Usage): Promise<void>;
  /** What the session and its children have used so far. */
  usage(): SessionUsage;
  /** The events before this turn, oldest first. */
  history(): AsyncIterable<SessionEvent>;
}
