import type { BlobStore } from "../blob-store.ts";
import type { CallContext } from "../dialect.ts";
import { RuntimeError } from "../errors.ts";
import type { SessionEvent } from "../session-event.ts";

/** Events that go into the archive together: a whole number of these is trimmed. */
export const CHUNK = 500;

/** The first events of long sessions, in a blob per `CHUNK`: what Redis need not hold in memory any more. */
export class SessionArchive {
  readonly #blobs: BlobStore;

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  async write(context: CallContext, session: string, events: readonly SessionEvent[]): Promise<void> {
    const body = new Blob([JSON.stringify(events)]).stream();
    await this.#blobs.put(context, keyOf(session, events[0]?.seq ?? 1), body, "application/json");
  }

  /** The events of the chunk that holds `seq`, from `seq` on. */
  async read(context: CallContext, session: string, seq: number): Promise<readonly SessionEvent[]> {
    const body = await this.#blobs.get(context, keyOf(session, seq));
    if (body === undefined) {
      throw new RuntimeError(
        "RUNTIME_BACKEND_FAILED",
        `The archive has lost the events of session ${session} around ${seq}: bring the blob store back that it was made with.`,
      );
    }
    const events = (await new Response(body).json()) as readonly SessionEvent[];
    return events.filter((event) => event.seq >= seq);
  }

  async remove(context: CallContext, session: string, trimmed: number): Promise<void> {
    for (let seq = 1; seq <= trimmed; seq += CHUNK) await this.#blobs.delete(context, keyOf(session, seq));
  }
}

const keyOf = (session: string, seq: number): string => `events/${session}/${Math.floor((seq - 1) / CHUNK)}`;
