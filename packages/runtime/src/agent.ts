import type { Json } from "./dialect.ts";
import type { Session } from "./session.ts";

/** An input that starts a turn: a user's message or whatever else a caller sends. */
export interface TurnInput {
  readonly seq: number;
  readonly type: string;
  readonly body: Json;
  readonly at: number;
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
  /**
   * One turn. After a crash it runs again from its start: what goes through `session.step` is replayed from the log,
   * everything else runs anew and must not have effects.
   */
  run(session: Session, input: TurnInput): Promise<Json | undefined> | Promise<void>;
}
