import type { CallContext, Page } from "./dialect.ts";
import { readState } from "./engine/state.ts";
import { decodeCursor, encodeCursor, pageSize } from "./internal/paging.ts";
import type { SessionEvent } from "./session-event.ts";
import type { SessionLog, SessionStatus } from "./session-log.ts";

/** Recorded sessions, page by page. Fits observability's `SessionReader`. */
export class SessionRecords {
  readonly #log: SessionLog;

  constructor({ log }: { readonly log: SessionLog }) {
    this.#log = log;
  }

  async list(
    context: CallContext,
    {
      status,
      ...query
    }: { readonly status?: string; readonly agent?: string; readonly cursor?: string; readonly limit?: number } = {},
  ): Promise<
    Page<{
      readonly id: string;
      readonly agent: string;
      readonly status: string;
      readonly startedAt: number;
      readonly activeMs: number;
    }>
  > {
    const found = await this.#log.find(context, {
      ...query,
      ...(status === undefined ? {} : { status: status as SessionStatus }),
    });
    const items = found.items.map(({ id, agent, status, createdAt, state }) => ({
      ...{ id, agent, status, startedAt: createdAt },
      activeMs: readState(state).activeMs,
    }));
    return found.cursor === undefined ? { items } : { items, cursor: found.cursor };
  }

  /** Pass `after` or the last page's `cursor`. */
  async events(
    context: CallContext,
    session: string,
    { after = 0, limit, cursor }: { readonly after?: number; readonly limit?: number; readonly cursor?: string } = {},
  ): Promise<Page<SessionEvent>> {
    const size = pageSize(limit);
    const from = cursor === undefined ? after : Number(decodeCursor(cursor));
    const items = await this.#log.read(context, session, { after: from, limit: size });
    const last = items.at(-1);
    return items.length < size || last === undefined ? { items } : { items, cursor: encodeCursor(String(last.seq)) };
  }
}
