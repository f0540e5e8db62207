import type { CallContext, Clock, Json } from "./dialect.ts";
import { readState, usageOf } from "./engine/state.ts";
import { notFound } from "./internal/session-errors.ts";
import { Signal } from "./internal/signal.ts";
import type { LiveBus } from "./live-bus.ts";
import type { SessionLog, SessionRecord } from "./session-log.ts";
import type { StreamedEvent } from "./sessions.ts";

/** How often the log is looked at when the live bus says nothing: another process may have written. */
const POLL_MS = 250;

/** Events that are held for a reader at a time, however slow it is: each may be large. */
const PAGE = 100;

/** Deltas that a slow reader has not taken; older ones are dropped, their whole will be an event. */
const MOST_DELTAS = 1000;

export async function* follow(
  { log, live, clock }: { readonly log: SessionLog; readonly live: LiveBus; readonly clock: Clock },
  context: CallContext,
  session: string,
  {
    after = 0,
    deltas = false,
    snapshot = true,
  }: { readonly after?: number; readonly deltas?: boolean; readonly snapshot?: boolean },
): AsyncGenerator<StreamedEvent> {
  const news = new Signal();
  const pieces: StreamedEvent[] = [];
  const subscription = await live.subscribe(context, session, (message) => {
    if (message.type === "delta" && deltas) {
      if (pieces.length >= MOST_DELTAS) pieces.shift();
      pieces.push({ type: "delta", body: { turn: message.turn, step: message.step, piece: message.body } });
    }
    news.raise();
  });
  try {
    const record = await log.get(context, session);
    if (record === undefined) throw notFound(session);
    if (snapshot) yield { type: "session.snapshot", body: snapshotOf(record) };
    const over = record.status === "ended";
    for (let seen = after; ; ) {
      if (context.signal?.aborted) return;
      const page = await log.read(context, session, { after: seen, limit: PAGE });
      for (const event of page) {
        seen = event.seq;
        yield event;
        if (!over && event.type === "session.ended") return;
      }
      while (pieces.length > 0) yield pieces.shift() as StreamedEvent;
      if (page.length === 0 && over) return;
      if (page.length === 0) await either(news, clock, context.signal);
    }
  } finally {
    await subscription[Symbol.asyncDispose]();
  }
}

async function either(news: Signal, clock: Clock, outer: AbortSignal | undefined): Promise<void> {
  const inner = new AbortController();
  const signal = outer === undefined ? inner.signal : AbortSignal.any([outer, inner.signal]);
  const quiet = (wait: Promise<void>) => wait.catch(() => {});
  await Promise.race([quiet(news.wait(signal)), quiet(clock.sleep(POLL_MS, { signal }))]);
  inner.abort();
}

/** What a reader needs to show the session before its events have come; `head` is the number of the last one so far. */
function snapshotOf({ id, agent, agentVersion, status, head, metadata, state }: SessionRecord): Json {
  const now = readState(state);
  return { id, agent, agentVersion, status, head, metadata, turns: now.turns, usage: { ...usageOf(now) } };
}
