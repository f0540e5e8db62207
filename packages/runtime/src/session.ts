import type { CallContext, Json } from "./dialect.ts";
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

/** A session as its body sees it, for one turn. */
export interface Session {
  readonly id: string;
  readonly turn: number;
  /** For calls to neighbours: names the tenant, agent and session, and aborts with the turn. */
  readonly context: CallContext;
  readonly signal: AbortSignal;

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
  /** Appends an event, once: a later run of the turn finds it there. */
  emit(type: string, body?: Json): Promise<void>;
  /** A piece of something whose whole will be an event: best effort, never in the log. */
  delta(step: string, body: Json): void;
  /** Counts towards the session's usage; recorded once per name and order, like a step. */
  meter(usage: Usage): Promise<void>;
  /** What the session has used so far. */
  usage(): { readonly inputTokens: number; readonly outputTokens: number; readonly costMicros: number };
  /** The events before this turn, oldest first. */
  history(): AsyncIterable<SessionEvent>;
}
