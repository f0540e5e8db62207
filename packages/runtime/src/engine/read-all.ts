import type { CallContext } from "../dialect.ts";
import type { SessionEvent } from "../session-event.ts";
import type { SessionLog } from "../session-log.ts";

const PAGE = 1_000;

/** Every event with `seq` over `after` that is there now, page by page. */
export async function* readAll(
  log: SessionLog,
  context: CallContext,
  session: string,
  after: number = 0,
): AsyncGenerator<SessionEvent> {
  for (let from = after; ; ) {
    const page = await log.read(context, session, { after: from, limit: PAGE });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    from = last.seq;
  }
}
