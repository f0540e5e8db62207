import type { CallContext, Clock } from "../dialect.ts";
import type { SessionReader } from "../session-reader.ts";

interface Live {
  readonly reader: SessionReader;
  readonly session: string;
  readonly after: number;
  readonly clock: Clock;
  readonly everyMs: number;
}

/** Server-sent events whose ids are sequence numbers, so that a browser that reconnects goes on where it was. */
export async function liveEvents(
  context: CallContext,
  { reader, session, after, clock, everyMs }: Live,
): Promise<Response> {
  let first = await reader.events(context, session, { after, limit: 500 });
  const stopped = new AbortController();
  const signal = context.signal === undefined ? stopped.signal : AbortSignal.any([context.signal, stopped.signal]);
  const encoder = new TextEncoder();
  let last = after;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(encoder.encode("retry: 1000\n\n")),
    async pull(controller) {
      try {
        for (let looks = 0; ; looks++) {
          for (const event of first.items) {
            controller.enqueue(encoder.encode(`id: ${event.seq}\ndata: ${JSON.stringify(event)}\n\n`));
            last = event.seq;
          }
          const some = first.items.length > 0;
          if (!some) await clock.sleep(everyMs, { signal });
          first = await reader.events(context, session, { after: last, limit: 500 });
          if (some) return;
          if (looks % 20 === 19) controller.enqueue(encoder.encode(": still here\n\n"));
        }
      } catch {
        // The browser reconnects with the last id; what failed answers the new request.
        controller.close();
      }
    },
    cancel: () => stopped.abort(),
  });
  return new Response(body, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" },
  });
}
