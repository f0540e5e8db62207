import type { BlobStore } from "../blob-store.ts";
import type { CallContext, Json, Page } from "../dialect.ts";
import { RuntimeError } from "../errors.ts";
import type { NewEvent, SessionEvent } from "../session-event.ts";
import type {
  Claim,
  DueSession,
  NewSession,
  SessionChange,
  SessionLog,
  SessionQuery,
  SessionRecord,
} from "../session-log.ts";

export interface BlobSessionLogDeps {
  readonly log: SessionLog;
  readonly blobs: BlobStore;
  /** A body whose JSON has more characters lies in the blob store. Default 64 Ki. */
  readonly inlineLength?: number;
}

/** Begins the keys of bodies that were moved here; a reference that a writer gave itself is left alone. */
const OURS = "events/";
const MEDIA_TYPE = "application/json";

/**
 * Any session log, with large bodies in a blob store: the log keeps a reference, readers get the body. The blob is there
 * before its event, so that no crash leaves a reference to nothing; one without an event may stay behind.
 */
export class BlobSessionLog implements SessionLog {
  readonly #log: SessionLog;
  readonly #blobs: BlobStore;
  readonly #inlineLength: number;

  constructor({ log, blobs, inlineLength = 65_536 }: BlobSessionLogDeps) {
    this.#log = log;
    this.#blobs = blobs;
    this.#inlineLength = inlineLength;
  }

  async create(
    context: CallContext,
    session: NewSession,
  ): Promise<{ readonly record: SessionRecord; readonly created: boolean }> {
    const events = await this.#offload(context, session.id, session.events);
    const made = await this.#log.create(context, { ...session, events });
    if (!made.created) await this.#forget(context, events);
    return made;
  }

  get(context: CallContext, session: string): Promise<SessionRecord | undefined> {
    return this.#log.get(context, session);
  }

  find(context: CallContext, query: SessionQuery): Promise<Page<SessionRecord>> {
    return this.#log.find(context, query);
  }

  async delete(context: CallContext, session: string): Promise<void> {
    const held: SessionEvent[] = [];
    for (let after = 0; ; ) {
      const page = await this.#log.read(context, session, { after });
      held.push(...page.filter(({ blob }) => blob !== undefined));
      const last = page.at(-1);
      if (last === undefined) break;
      after = last.seq;
    }
    await this.#log.delete(context, session);
    await this.#forget(context, held);
  }

  claim(
    context: CallContext,
    session: string,
    options: { readonly owner: string; readonly from?: string },
  ): Promise<Claim | undefined> {
    return this.#log.claim(context, session, options);
  }

  async append(
    context: CallContext,
    session: string,
    fence: string,
    events: readonly NewEvent[],
    change?: SessionChange,
  ): Promise<readonly SessionEvent[]> {
    const light = await this.#offload(context, session, events);
    try {
      const placed = await this.#log.append(context, session, fence, light, change);
      return await Promise.all(placed.map((event, index) => this.#placed(context, event, events[index], light[index])));
    } catch (error) {
      if (RuntimeError.is(error) && error.code === "RUNTIME_FENCED") await this.#forget(context, light);
      throw error;
    }
  }

  release(
    context: CallContext,
    session: string,
    fence: string,
    options: { readonly seen: number; readonly wakeAt?: number },
  ): Promise<{ readonly woken: boolean }> {
    return this.#log.release(context, session, fence, options);
  }

  async deposit(
    context: CallContext,
    session: string,
    event: NewEvent,
    options?: { readonly wake?: boolean },
  ): Promise<{ readonly event: SessionEvent; readonly duplicate: boolean }> {
    if (this.#isLarge(event.body)) await this.#known(context, session);
    const [light = event] = await this.#offload(context, session, [event]);
    const { event: placed, duplicate } = await this.#log.deposit(context, session, light, options);
    return { event: await this.#placed(context, placed, event, light), duplicate };
  }

  async read(
    context: CallContext,
    session: string,
    options?: { readonly after?: number; readonly limit?: number },
  ): Promise<readonly SessionEvent[]> {
    const events = await this.#log.read(context, session, options);
    if (events.every(({ blob }) => blob === undefined)) return events;
    return Promise.all(events.map((event) => this.#whole(context, event)));
  }

  saveSnapshot(
    context: CallContext,
    session: string,
    fence: string,
    snapshot: { readonly seq: number; readonly body: Json },
  ): Promise<void> {
    return this.#log.saveSnapshot(context, session, fence, snapshot);
  }

  snapshot(context: CallContext, session: string): Promise<{ readonly seq: number; readonly body: Json } | undefined> {
    return this.#log.snapshot(context, session);
  }

  renew(owner: string, leaseMs: number): Promise<void> {
    return this.#log.renew(owner, leaseMs);
  }

  expire(owner: string): Promise<void> {
    return this.#log.expire(owner);
  }

  owners(): Promise<readonly { readonly owner: string; readonly expiresAt: number }[]> {
    return this.#log.owners();
  }

  due(options: {
    readonly limit: number;
    readonly after?: Pick<DueSession, "wakeAt" | "session">;
  }): Promise<readonly DueSession[]> {
    return this.#log.due(options);
  }

  close(): Promise<void> {
    return this.#log.close();
  }

  #isLarge(body: Json | undefined): boolean {
    return body !== undefined && textOf(body).length > this.#inlineLength;
  }

  /** No stranger's session gets a blob. */
  async #known(context: CallContext, session: string): Promise<void> {
    if ((await this.#log.get(context, session)) === undefined) await this.#log.read(context, session, { limit: 1 });
  }

  #offload(context: CallContext, session: string, events: readonly NewEvent[]): Promise<readonly NewEvent[]> {
    return Promise.all(
      events.map(async (event) => {
        if (event.blob !== undefined || !this.#isLarge(event.body)) return event;
        const { body = null, ...light } = event;
        const stream = new Blob([textOf(body)]).stream() as ReadableStream<Uint8Array>;
        const key = `${OURS}${session}/${event.id}`;
        return { ...light, blob: await this.#blobs.put(context, key, stream, MEDIA_TYPE) };
      }),
    );
  }

  /** The body that was given; that of an earlier event where the key was known, and then what was given is dropped. */
  async #placed(
    context: CallContext,
    placed: SessionEvent,
    given: NewEvent | undefined,
    light: NewEvent | undefined,
  ): Promise<SessionEvent> {
    if (placed.id === given?.id) return placed.blob === undefined ? placed : { ...placed, body: given.body ?? null };
    if (light !== undefined) await this.#forget(context, [light]);
    return this.#whole(context, placed);
  }

  async #whole(context: CallContext, event: SessionEvent): Promise<SessionEvent> {
    const { blob } = event;
    if (blob === undefined || event.body !== undefined || !blob.key.startsWith(OURS)) return event;
    const stream = await this.#blobs.get(context, blob.key);
    if (stream === undefined) {
      throw new RuntimeError(
        "RUNTIME_BACKEND_FAILED",
        `The body of event ${event.seq} of session ${event.session} is not in the blob store (${blob.key}).`,
      );
    }
    return { ...event, body: JSON.parse(await new Response(stream).text()) as Json };
  }

  async #forget(context: CallContext, events: readonly NewEvent[]): Promise<void> {
    await Promise.all(
      events.map(({ blob }) => blob?.key.startsWith(OURS) && this.#blobs.delete(context, blob.key).catch(() => {})),
    );
  }
}

/** A value that JSON cannot hold is left to the log, which says so. */
function textOf(body: Json): string {
  return JSON.stringify(body) ?? "";
}
