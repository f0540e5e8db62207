import type { Json } from "../dialect.ts";
import type { Usage } from "../session.ts";
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

/** What the runtime keeps in a session's record beside the events; it could be folded from them. */
export interface SessionState {
  readonly turns: number;
  /** `seq` up to which inputs have been taken. */
  readonly consumed: number;
  readonly open?: OpenTurn;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costMicros: number;
  readonly activeMs: number;
  readonly fork?: ForkOrigin;
  readonly priority: number;
  readonly requires: readonly string[];
}

export const newState = (lane: Pick<SessionState, "priority" | "requires">): SessionState => ({
  turns: 0,
  consumed: 0,
  inputTokens: 0,
  outputTokens: 0,
  costMicros: 0,
  activeMs: 0,
  ...lane,
});

export const readState = (state: Json): SessionState => state as unknown as SessionState;
export const writeState = (state: SessionState): Json => state as unknown as Json;

export const withUsage = (state: SessionState, usage: Usage): SessionState => ({
  ...state,
  inputTokens: state.inputTokens + usage.inputTokens,
  outputTokens: state.outputTokens + usage.outputTokens,
  costMicros: state.costMicros + (usage.costMicros ?? 0),
});

/** Inputs that speak to a turn under way instead of starting one. */
export const CONTROL = {
  interrupt: "user.interrupt",
  signal: "input.signal",
  answer: "approval.answered",
  stop: "session.stop_requested",
} as const;

const controls: ReadonlySet<string> = new Set(Object.values(CONTROL));

export const startsTurn = (event: SessionEvent): boolean => event.fence === INPUT_FENCE && !controls.has(event.type);

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
  }
  return state;
}

const closesTurn: ReadonlySet<string> = new Set(["turn.completed", "turn.failed", "turn.interrupted"]);
