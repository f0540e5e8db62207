import type { CallContext, Page } from "./dialect.ts";
import type { SessionEvent } from "./session-event.ts";

export interface SessionSummary {
  readonly id: string;
  readonly agent: string;
  readonly status: string;
  readonly startedAt: number;
  /** Milliseconds in which the session worked; waiting and idling do not count. */
  readonly activeMs: number;
}

/**
 * Reads recorded sessions of `context.principal.tenant`; a session of another tenant is as one that does not exist
 * (kind `not_found` from `events`). The runtime's class fits.
 */
export interface SessionReader {
  /** Newest start first. */
  list(
    context: CallContext,
    query: {
      readonly status?: string;
      readonly agent?: string;
      readonly cursor?: string;
      readonly limit?: number;
    },
  ): Promise<Page<SessionSummary>>;
  /** In order of `seq`, those above `after` (0 when absent). */
  events(
    context: CallContext,
    session: string,
    options?: { readonly after?: number; readonly limit?: number },
  ): Promise<Page<SessionEvent>>;
}
