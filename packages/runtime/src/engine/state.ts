import type { Budget } from "../agent.ts";
import type { Json } from "../dialect.ts";
import type { SessionUsage, Usage } from "../session.ts";
import { INPUT_FENCE, type SessionEvent } from "../session-event.ts";

export interface OpenTurn {
  readonly turn: number;
  /** `seq` of the input that it answers. */
  readonly input: number;
  /** How often its process died. */
  readonly crashes: number;
}

export interface ForkOrigin {
  readonly session: string;
  readonly afterSeq: number;
  readonly effects: "recorded" | "live";
}

/** Who is told when a turn of this session closes. */
export interface Parentage {
  readonly session: string;
  /** 1 for a child of a session that nobody spawned. */
  readonly depth: number;
}

/** What the runtime keeps in a session's record beside the events; it could be folded from them. */
export interface SessionState extends SessionUsage {
  readonly turns: number;
  /** `seq` up to which inputs have been taken. */
  readonly consumed: number;
  readonly open?: OpenTurn;
  readonly fork?: ForkOrigin;
  readonly priority: number;
  readonly requires: readonly string[];
  readonly idleSince?: number;
  /** How often each measure of the budget was granted again. */
  readonly grants?: { readonly [Measure in keyof Budget]?: number };
  readonly parent?: Parentage;
  /** Sessions that this one has started. */
  readonly children?: number;
  /** `seq` of the last report of a child that is counted in. */
  readonly rolled?: number;
  /** What the parent still has to be told: written with the end of the turn, so that no crash loses it. */
  readonly owed?: Json;
  /** What the parent has been told so far. */
  readonly told?: SessionUsage;
}

export const noUsage: SessionUsage = { inputTokens: 0, outputTokens: 0, costMicros: 0, activeMs: 0 };

export const newState = (lane: Pick<SessionState, "priority" | "requires">): SessionState => ({
  turns: 0,
  consumed: 0,
  ...noUsage,
  ...lane,
});

export const readState = (state: Json): SessionState => state as unknown as SessionState;
export const writeState = (state: SessionState): Json => state as unknown as Json;

export const usageOf = ({ inputTokens, outputTokens, costMicros, activeMs }: SessionUsage): SessionUsage => ({
  ...{ inputTokens, outputTokens, costMicros, activeMs },
});

export const withUsage = (state: SessionState, usage: Usage & { readonly activeMs?: number }): SessionState => ({
  ...state,
  inputTokens: state.inputTokens + usage.inputTokens,
  outputTokens: state.outputTokens + usage.outputTokens,
  costMicros: state.costMicros + (usage.costMicros ?? 0),
  activeMs: state.activeMs + (usage.activeMs ?? 0),
});

/** What has been used since `before`. */
export const usedSince = (now: SessionUsage, before: SessionUsage = noUsage): SessionUsage => ({
  inputTokens: now.inputTokens - before.inputTokens,
  outputTokens: now.outputTokens - before.outputTokens,
  costMicros: now.costMicros - before.costMicros,
  activeMs: now.activeMs - before.activeMs,
});

/** Inputs that speak to a turn under way instead of starting one. */
export const CONTROL = {
  interrupt: "user.interrupt",
  signal: "input.signal",
  answer: "approval.answered",
  stop: "session.stop_requested",
  child: "child.reported",
  work: "work.reported",
  workTaken: "work.acknowledged",
} as const;

const controls: ReadonlySet<string> = new Set(Object.values(CONTROL));

export const startsTurn = (event: SessionEvent): boolean => event.fence === INPUT_FENCE && !controls.has(event.type);

/** Counts in what a child has used, once. */
export function withReport(state: SessionState, { type, seq, body }: SessionEvent): SessionState {
  if (type !== CONTROL.child || seq <= (state.rolled ?? 0)) return state;
  const { usage = noUsage } = body as unknown as { readonly usage?: SessionUsage };
  return { ...withUsage(state, usage), rolled: seq };
}

/** The state that a log leads to: for forks, whose past is another session's. */
export function foldState(events: readonly SessionEvent[], initial: SessionState): SessionState {
  let state = initial;
  for (const event of events) {
    const body = event.body as unknown as { readonly input?: number } & Usage;
    if (event.type === "turn.started") {
      const open = { turn: event.turn ?? 0, input: body.input ?? 0, crashes: 0 };
      state = { ...state, turns: open.turn, consumed: open.input, open };
    }
    if (closesTurn.has(event.type)) {
      const { open: _, ...closed } = state;
      state = closed;
    }
    if (event.type === "usage.recorded") state = withUsage(state, body);
    if (event.type === "child.started") state = { ...state, children: (state.children ?? 0) + 1 };
    state = withReport(state, event);
  }
  return state;
}

const closesTurn: ReadonlySet<string> = new Set(["turn.completed", "turn.failed", "turn.interrupted"]);
