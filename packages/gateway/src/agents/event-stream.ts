import type { AgentEvent } from "../agent-sessions.ts";
import type { Answer } from "../answer.ts";
import type { Clock } from "../dialect.ts";
import { problemOf } from "../http/problem.ts";
import { sseEvent, sseHeaders } from "../http/sse.ts";

export interface EventStreamOptions {
  readonly clock: Clock;
  /** Called once when the reader goes or the stream ends. */
  readonly stop: () => void;
  /** Ends the stream after such an event. */
  readonly until?: (event: AgentEvent) => boolean;
  /** Asked when the events end: what it gives is told as an error, so that the reader knows to come again. */
  readonly cut?: () => Error | undefined;
  readonly headers?: Record<string, string>;
  readonly heartbeatMs?: number;
}

/**
 * Events as `text/event-stream`: `id` is the place in the log, so that `Last-Event-ID` resumes without loss or repeat;
 * live deltas have none. Nothing is read ahead of a slow reader. An error ends the stream with an `error` event.
 */
export function eventStream(
  events: AsyncIterable<AgentEvent>,
  { clock, stop, until, cut, headers, heartbeatMs = 15_000 }: EventStreamOptions,
): Answer {
  const encoder = new TextEncoder();
  const iterator = events[Symbol.asyncIterator]();
  const done = new AbortController();
  const finish = () => {
    done.abort();
    stop();
  };

  async function beat(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    while (!done.signal.aborted) {
      await clock.sleep(heartbeatMs, { signal: done.signal });
      if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(": ping\n\n"));
    }
  }

  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        controller.enqueue(encoder.encode(": open\n\n"));
        beat(controller).catch(() => {});
      },
      async pull(controller) {
        try {
          const next = await iterator.next();
          if (next.done) {
            const why = cut?.();
            if (why !== undefined) controller.enqueue(encoder.encode(failure(why)));
            finish();
            return controller.close();
          }
          const { seq, type, body } = next.value;
          const data = JSON.stringify({
            ...(seq === undefined ? {} : { seq }),
            type,
            ...(body === undefined ? {} : { body }),
          });
          controller.enqueue(
            encoder.encode(sseEvent({ event: type, data, ...(seq === undefined ? {} : { id: String(seq) }) })),
          );
          if (until?.(next.value)) {
            finish();
            controller.close();
            await iterator.return?.();
          }
        } catch (error) {
          if (done.signal.aborted) return;
          finish();
          controller.enqueue(encoder.encode(failure(error)));
          controller.close();
        }
      },
      async cancel() {
        finish();
        await iterator.return?.();
      },
    },
    { highWaterMark: 2 },
  );
  return { status: 200, headers: { ...sseHeaders, ...headers }, body };
}

function failure(error: unknown): string {
  const { code, kind, detail, retryable } = problemOf(error);
  return sseEvent({ event: "error", data: JSON.stringify({ code, kind, detail, retryable }) });
}
