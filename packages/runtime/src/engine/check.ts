import type { Agent } from "../agent.ts";
import type { CallContext, Json } from "../dialect.ts";
import type { SessionEvent } from "../session-event.ts";
import type { SessionLog, SessionRecord } from "../session-log.ts";
import { CheckedTurn, type Divergence, EndOfRecord } from "./checked-turn.ts";
import type { Journal } from "./journal.ts";
import { readAll } from "./read-all.ts";
import { foldState, newState, readState } from "./state.ts";
import { digest } from "./steps.ts";

export type { Divergence } from "./checked-turn.ts";

export interface Check {
  /** Turns that were gone through, the one with the divergence included. */
  readonly turns: number;
  readonly divergence?: Divergence;
}

export interface CheckDeps {
  readonly log: SessionLog;
  readonly journal: Journal;
}

/** Turn by turn, until code and record part. */
export async function checkSession(
  { log, journal }: CheckDeps,
  context: CallContext,
  record: SessionRecord,
  agent: Agent,
): Promise<Check> {
  const events: SessionEvent[] = [];
  for await (const event of readAll(log, context, record.id)) events.push(event);
  const starts = events.filter(({ type }) => type === "turn.started");
  for (const [index, started] of starts.entries()) {
    const before = events.slice(0, started.seq - 1);
    const until = starts[index + 1]?.seq ?? Number.POSITIVE_INFINITY;
    const during = events.filter(({ seq }) => seq >= started.seq && seq < until);
    const { priority, requires } = readState(record.state);
    const state = foldState(events.slice(0, during.at(-1)?.seq), newState({ priority, requires }));
    const principal = { ...context.principal, agent: agent.name, session: record.id };
    const turn = new CheckedTurn({
      ...{ session: record.id, turn: started.turn ?? 0, before, during, state },
      context: { ...context, principal },
      redact: (body) => journal.redacted(body),
    });
    const divergence = await checkTurn(agent, turn, events, during, started, (body) => journal.redacted(body));
    if (divergence !== undefined) return { turns: index + 1, divergence };
  }
  return { turns: starts.length };
}

async function checkTurn(
  agent: Agent,
  turn: CheckedTurn,
  events: readonly SessionEvent[],
  during: readonly SessionEvent[],
  started: SessionEvent,
  redact: (body: Json) => Json,
): Promise<Divergence | undefined> {
  const input = events[Number((started.body as { readonly input?: Json }).input) - 1];
  if (input === undefined) return { turn: turn.turn, what: "The turn's input is not in the record." };
  const { seq, type, body = null, at } = input;
  const closed = during.find((event) => event.turn === turn.turn && closes.has(event.type));
  const outcome = await agent.run(turn, { seq, type, body, at }).then(
    (output) => ({ output: output ?? undefined }),
    (error: unknown) => ({ error }),
  );
  if (turn.divergence !== undefined) return turn.divergence;
  if ("error" in outcome && (turn.over || outcome.error instanceof EndOfRecord)) return undefined;
  if (closed === undefined || closed.type === "turn.interrupted") return undefined;
  const place = { turn: turn.turn, seq: closed.seq };
  const failed = "error" in outcome;
  if (failed !== (closed.type === "turn.failed")) {
    const now = failed ? `it fails: ${String((outcome.error as Error)?.message ?? outcome.error)}` : "it returns";
    return { ...place, what: `The record says ${closed.type}; with this code ${now}.` };
  }
  if (!failed) {
    const recorded = (closed.body as { readonly output?: Json } | undefined)?.output ?? null;
    const now = redact((JSON.parse(JSON.stringify(outcome.output ?? null)) as Json) ?? null);
    if (digest(now) !== digest(recorded)) return { ...place, what: "The turn returns something else.", recorded, now };
  }
  return turn.untaken();
}

const closes: ReadonlySet<string> = new Set(["turn.completed", "turn.failed", "turn.interrupted"]);
