import type { CallContext, Json } from "../dialect.ts";
import { RuntimeError } from "../errors.ts";
import type { SessionEvent } from "../session-event.ts";
import type { SessionChange } from "../session-log.ts";
import type { Draft, Journal } from "./journal.ts";
import { type SessionState, writeState } from "./state.ts";
import type { Tail } from "./tail.ts";

export interface TurnRecordDeps {
  readonly journal: Journal;
  readonly session: string;
  readonly turn: number;
  readonly context: CallContext;
  readonly fence: string;
  readonly state: SessionState;
  readonly tail: Tail;
  /** The turn's events so far, from its `turn.started` on. */
  readonly events: readonly SessionEvent[];
}

export type Fields = { readonly [key: string]: Json };

export const fieldsOf = (body: Json | undefined): Fields => (body ?? {}) as Fields;

/** What the log holds of one turn, and the only way in which the turn adds to it. */
export class TurnRecord {
  readonly #deps: TurnRecordDeps;
  readonly #events: SessionEvent[];
  readonly #keys: Set<string>;
  readonly #counts = new Map<string, number>();
  state: SessionState;
  /** Why the log did not take something: then the run is over and the turn is not. */
  broken: unknown;

  constructor(deps: TurnRecordDeps) {
    this.#deps = deps;
    this.#events = [...deps.events];
    this.#keys = new Set(deps.events.flatMap(({ idempotencyKey }) => idempotencyKey ?? []));
    this.state = deps.state;
  }

  get events(): readonly SessionEvent[] {
    return this.#events;
  }

  /** `name` for the first of its name in this turn, `name#2` for the second. */
  next(name: string): string {
    const count = (this.#counts.get(name) ?? 0) + 1;
    this.#counts.set(name, count);
    return count === 1 ? name : `${name}#${count}`;
  }

  find(type: string, step: string): SessionEvent | undefined {
    return this.#events.find((event) => event.type === type && event.step === step);
  }

  /** The first event of this type whose body holds this value. */
  told(type: string, field: string, value: Json): SessionEvent | undefined {
    return this.#events.find((event) => event.type === type && fieldsOf(event.body)[field] === value);
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  async once(draft: Omit<Draft, "idempotencyKey" | "turn">, key: string, state?: SessionState): Promise<void> {
    if (!this.#keys.has(key)) await this.append([{ ...draft, idempotencyKey: key }], state);
  }

  /** With a `state`, that becomes the session's in the same transaction. */
  async append(drafts: readonly Omit<Draft, "turn">[], state?: SessionState): Promise<readonly SessionEvent[]> {
    const { journal, session, turn, context, fence, tail } = this.#deps;
    const change: SessionChange | undefined = state && { state: writeState(state) };
    if (state !== undefined) this.state = state;
    const numbered = drafts.map((draft) => ({ ...draft, turn }));
    const placed = await journal.append(context, session, fence, numbered, change).catch((error: unknown) => {
      if (RuntimeError.is(error) && error.code === "RUNTIME_BACKEND_FAILED") this.broken = error;
      throw error;
    });
    tail.wrote(placed);
    for (const event of placed) {
      this.#events.push(event);
      if (event.idempotencyKey !== undefined) this.#keys.add(event.idempotencyKey);
    }
    return placed;
  }
}
