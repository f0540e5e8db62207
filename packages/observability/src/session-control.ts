import type { CallContext } from "./dialect.ts";

/** What a person may do to a session of `context.principal.tenant`. The runtime's class fits. */
export interface SessionControl {
  /** Ends it at once. Kind `conflict` when it has ended already. */
  kill(context: CallContext, session: string): Promise<void>;
  /** Answers a request for approval or input. The first answer counts; a second one fails with kind `conflict`. */
  answer(
    context: CallContext,
    session: string,
    request: string,
    answer: { readonly allow: boolean; readonly message?: string },
  ): Promise<void>;
  /** A new session with the same past up to and including `afterSeq`. `recorded` effects are taken from the log, never made again. */
  fork(
    context: CallContext,
    session: string,
    options: { readonly afterSeq: number; readonly effects: "recorded" | "live" },
  ): Promise<{ readonly id: string }>;
  /** Plays the record against today's code without any effect, and says where they part. Absent where nothing can. */
  check?(context: CallContext, session: string): Promise<SessionCheck>;
}

export interface SessionCheck {
  /** Where code and record part first: the event, where there is one, and what happens otherwise. Absent: they agree. */
  readonly divergence?: { readonly seq?: number; readonly what: string };
}
