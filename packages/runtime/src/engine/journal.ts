import type { CallContext, Clock, IdSource, Json, Redactor } from "../dialect.ts";
import { breathe } from "../internal/breathe.ts";
import type { LiveBus } from "../live-bus.ts";
import { EVENT_SCHEMA_VERSION, type NewEvent, type SessionEvent } from "../session-event.ts";
import type { SessionChange, SessionLog } from "../session-log.ts";
import { traceparent } from "./spans.ts";

export interface JournalDeps {
  readonly log: SessionLog;
  readonly live: LiveBus;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly redactor?: Redactor | undefined;
}

export type Draft = Pick<NewEvent, "type" | "turn" | "step" | "attempt" | "idempotencyKey"> & { readonly body?: Json };

/** The only way events come into being: stamped, redacted, appended, announced. */
export class Journal {
  readonly #deps: JournalDeps;

  constructor(deps: JournalDeps) {
    this.#deps = deps;
  }

  stamp({ body, ...draft }: Draft): NewEvent {
    const { clock, ids } = this.#deps;
    const parent = traceparent();
    return {
      ...draft,
      id: ids.next("evt"),
      at: clock.now(),
      schemaVersion: EVENT_SCHEMA_VERSION,
      ...(parent === undefined ? {} : { traceparent: parent }),
      ...(body === undefined ? {} : { body: this.redacted(body) }),
    };
  }

  /** As the log would keep it. */
  redacted(body: Json): Json {
    return this.#deps.redactor?.redact(body) ?? body;
  }

  async append(
    context: CallContext,
    session: string,
    fence: string,
    drafts: readonly Draft[],
    change?: SessionChange,
  ): Promise<readonly SessionEvent[]> {
    await breathe();
    const { log, live } = this.#deps;
    const placed = await log.append(
      context,
      session,
      fence,
      drafts.map((draft) => this.stamp(draft)),
      change,
    );
    const last = placed.at(-1);
    if (last !== undefined) await live.publish(context, session, { type: "appended", seq: last.seq });
    return placed;
  }

  async deposit(
    context: CallContext,
    session: string,
    draft: Draft,
    options: { readonly wake?: boolean } = {},
  ): Promise<{ readonly event: SessionEvent; readonly duplicate: boolean }> {
    const { log, live } = this.#deps;
    const placed = await log.deposit(context, session, this.stamp(draft), options);
    await live.publish(context, session, { type: "appended", seq: placed.event.seq });
    await live.publish(context, session, { type: "control" });
    return placed;
  }
}
