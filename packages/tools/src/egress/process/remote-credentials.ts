import type { AnswerCleaner, AnswerHeaders } from "../answer-cleaner.ts";
import type { BoundCredentials } from "../substitution.ts";
import type { SentRequest } from "./messages.ts";
import type { Peer, SentBody } from "./peer.ts";

/** The credentials port of the process that asked for the proxy, for one link. */
export function remoteCredentials(peer: Peer, link: string): BoundCredentials {
  return {
    hosts: () => peer.call<readonly string[]>("hosts", { link }),
    async substitute(_context, request) {
      const { body, ...rest } = request;
      const sent = body === undefined ? {} : { body: peer.offer(body) };
      const granted = await peer.call<{ readonly grant: number; readonly request: SentRequest }>("substitute", {
        ...{ link, request: { ...rest, ...sent } },
      });
      const { body: back, ...kept } = granted.request;
      return {
        request: back === undefined ? kept : { ...kept, body: peer.accept(back) },
        cleaner: remoteCleaner(peer, granted.grant),
      };
    },
  };
}

function remoteCleaner(peer: Peer, grant: number): AnswerCleaner {
  return {
    headers: (headers) => peer.call<AnswerHeaders>("clean", { grant, headers }),
    stream() {
      const opened = peer.call<{ readonly id: number; readonly body: SentBody }>("cleanStream", { grant });
      const writable = new WritableStream<Uint8Array>({
        write: async (piece) => void (await peer.call("cleanWrite", { id: (await opened).id, piece })),
        close: async () => void (await peer.call("cleanEnd", { id: (await opened).id })),
        abort: async () => void (await peer.call("cleanEnd", { id: (await opened).id, aborted: true })),
      });
      let inner: ReadableStreamDefaultReader<Uint8Array> | undefined;
      const readable = new ReadableStream<Uint8Array>({
        async pull(controller) {
          inner ??= (peer.accept((await opened).body) as ReadableStream<Uint8Array>).getReader();
          const { done, value } = await inner.read();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: async () => void (await inner?.cancel()),
      });
      return { readable, writable };
    },
    close: () => void peer.call("release", { grant }).catch(() => {}),
  };
}
