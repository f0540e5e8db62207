import type { CallContext, Page } from "../dialect.ts";
import type { SessionCheck, SessionControl } from "../session-control.ts";
import type { SessionEvent } from "../session-event.ts";
import type { SessionReader, SessionSummary } from "../session-reader.ts";

const fail = (kind: string, message: string): Error =>
  Object.assign(new Error(message), { code: `SESSIONS_${kind.toUpperCase()}`, kind, retryable: false });

interface Recorded {
  readonly tenant: string;
  summary: SessionSummary;
  readonly events: SessionEvent[];
}

/** Recorded sessions for tests of what reads and controls them. Events of type `approval.requested` wait for an answer to their `body.request`. */
export class InMemorySessions implements SessionReader, SessionControl {
  readonly #sessions = new Map<string, Recorded>();

  add(summary: SessionSummary, events: readonly SessionEvent[], tenant = "acme"): void {
    this.#sessions.set(summary.id, { tenant, summary, events: [...events] });
  }

  append(session: string, type: string, body: NonNullable<SessionEvent["body"]>): void {
    const recorded = this.#sessions.get(session);
    const last = recorded?.events.at(-1);
    if (recorded === undefined || last === undefined) throw fail("not_found", `There is no session ${session}.`);
    const { idempotencyKey: _, step: __, attempt: ___, ...rest } = last;
    recorded.events.push({
      ...rest,
      seq: last.seq + 1,
      id: `evt_${session}_${last.seq + 1}`,
      type,
      body,
      at: last.at + 1,
    });
  }

  async list({ principal }: CallContext, query: Parameters<SessionReader["list"]>[1]): Promise<Page<SessionSummary>> {
    const limit = query.limit ?? 50;
    const from = Number(query.cursor ?? 0);
    const found = [...this.#sessions.values()]
      .filter(
        ({ tenant, summary }) =>
          tenant === principal.tenant &&
          (query.status ?? summary.status) === summary.status &&
          (query.agent ?? summary.agent) === summary.agent,
      )
      .map(({ summary }) => summary)
      .sort((a, b) => b.startedAt - a.startedAt);
    return {
      items: found.slice(from, from + limit),
      ...(from + limit < found.length ? { cursor: String(from + limit) } : {}),
    };
  }

  async events(
    context: CallContext,
    session: string,
    { after = 0, limit = 500 }: { readonly after?: number; readonly limit?: number } = {},
  ): Promise<Page<SessionEvent>> {
    const found = this.#of(context, session).events.filter(({ seq }) => seq > after);
    return { items: found.slice(0, limit), ...(found.length > limit ? { cursor: "more" } : {}) };
  }

  async kill(context: CallContext, session: string): Promise<void> {
    const recorded = this.#of(context, session);
    if (recorded.summary.status.startsWith("ended")) throw fail("conflict", "The session has ended already.");
    recorded.summary = { ...recorded.summary, status: "ended" };
    this.append(session, "session.ended", { reason: "killed" });
  }

  async answer(
    context: CallContext,
    session: string,
    request: string,
    answer: { readonly allow: boolean; readonly message?: string },
  ): Promise<void> {
    const { events, summary } = this.#of(context, session);
    if (summary.status.startsWith("ended")) throw fail("conflict", "The session has ended already.");
    const answered = events.some(
      ({ type, body }) => type === "approval.answered" && (body as { request?: unknown }).request === request,
    );
    if (answered) throw fail("conflict", "This request has been answered already.");
    this.append(session, "approval.answered", { request, ...answer });
  }

  async fork(
    context: CallContext,
    session: string,
    { afterSeq }: { readonly afterSeq: number },
  ): Promise<{ readonly id: string }> {
    const { tenant, summary, events } = this.#of(context, session);
    const id = `${session}_fork_${this.#sessions.size}`;
    const copies = events.filter(({ seq }) => seq <= afterSeq).map((event) => ({ ...event, session: id }));
    this.add({ ...summary, id, status: "idle" }, copies, tenant);
    return { id };
  }

  /** Its events agree with themselves. */
  async check(context: CallContext, session: string): Promise<SessionCheck> {
    this.#of(context, session);
    return {};
  }

  #of({ principal }: CallContext, session: string): Recorded {
    const recorded = this.#sessions.get(session);
    if (recorded === undefined || recorded.tenant !== principal.tenant)
      throw fail("not_found", `There is no session ${session}.`);
    return recorded;
  }
}
