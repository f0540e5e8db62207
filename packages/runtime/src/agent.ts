import type { Json } from "./dialect.ts";
import type { Session } from "./session.ts";

/** An input that starts a turn: a user's message or whatever else a caller sends. */
export interface TurnInput {
  readonly seq: number;
  readonly type: string;
  readonly body: Json;
  readonly at: number;
}

/** Of a whole session, its children's share included. */
export interface Budget {
  /** Input and output tokens. */
  readonly tokens?: number;
  /** In micro-units of the price table's currency. */
  readonly costMicros?: number;
  /** Time in which a turn ran; waiting and idling are free. */
  readonly activeMs?: number;
}

/** What runs in a session: a name, a version and a body that is called once per input, and again after a crash. */
export interface Agent {
  readonly name: string;
  /** Stands in the session's record; a session keeps the version it was opened with. Default "1". */
  readonly version?: string;
  readonly description?: string;
  /** −1,000 to 1,000; higher runs first. Default 0. */
  readonly priority?: number;
  /** Labels that a worker must have: `["gpu:a100"]`. */
  readonly requires?: readonly string[];
  /** Reached, it pauses the session and asks a person for as much again. Checked before every step. */
  readonly budget?: Budget;
  /** A session that has been idle for so long ends as `expired`. Default: never. */
  readonly expireAfterMs?: number;
  /** How deep sessions that start sessions may nest below a session of this agent, and how many it may start. */
  readonly children?: { readonly depth?: number; readonly count?: number };
  /**
   * One turn. After a crash it runs again from its start: what goes through `session.step` is replayed from the log,
   * everything else runs anew and must not have effects.
   */
  run(session: Session, input: TurnInput): Promise<Json | undefined> | Promise<void>;
  /** Ends what the agent keeps between turns; called when the runtime closes. */
  close?(): Promise<void>;
}
