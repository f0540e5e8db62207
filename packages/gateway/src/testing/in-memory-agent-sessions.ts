import type { AgentDescription, AgentEvent, AgentSessions } from "../agent-sessions.ts";
import type { CallContext, Json, Page } from "../dialect.ts";
import { GatewayError } from "../errors.ts";

interface Session {
  readonly tenant: string;
  readonly agent: string;
  readonly log: AgentEvent[];
  readonly keys: Map<string, number>;
  readonly waiting: Set<() => void>;
  ended: boolean;
}

/** Agents that are functions from a message to an answer: what a test publishes where a runtime is not the point. */
export class InMemoryAgentSessions implements AgentSessions {
  readonly #agents: Readonly<Record<string, (input: Json) => Json>>;
  readonly #usage: readonly Json[];
  readonly #sessions = new Map<string, Session>();
  readonly #external = new Map<string, string>();

  /** `usage` is what each answer reports of its work. */
  constructor(
    agents: Readonly<Record<string, (input: Json) => Json>>,
    { usage = [] }: { readonly usage?: readonly Json[] } = {},
  ) {
    this.#agents = agents;
    this.#usage = usage;
  }

  async agents(): Promise<Page<AgentDescription>> {
    return { items: Object.keys(this.#agents).map((name) => ({ name, version: "1" })) };
  }

  async open(
    { principal: { tenant } }: CallContext,
    { agent, externalId }: { readonly agent: string; readonly externalId?: string },
  ): Promise<{ readonly id: string; readonly status: string }> {
    if (!Object.hasOwn(this.#agents, agent)) throw new GatewayError("GATEWAY_NOT_FOUND", `There is no agent ${agent}.`);
    const key = JSON.stringify([tenant, agent, externalId]);
    const known = externalId === undefined ? undefined : this.#external.get(key);
    const id = known ?? `ses_${this.#sessions.size + 1}`;
    if (known === undefined) {
      this.#sessions.set(id, { tenant, agent, log: [], keys: new Map(), waiting: new Set(), ended: false });
      if (externalId !== undefined) this.#external.set(key, id);
    }
    return { id, status: "idle" };
  }

  async get(context: CallContext, id: string): Promise<{ readonly agent: string }> {
    return { agent: this.#own(context, id).agent };
  }

  async send(
    context: CallContext,
    id: string,
    { type, body }: { readonly type: string; readonly body: Json },
  ): Promise<{ readonly seq: number }> {
    const session = this.#own(context, id);
    const { idempotencyKey } = context;
    const before = idempotencyKey === undefined ? undefined : session.keys.get(idempotencyKey);
    if (before !== undefined) return { seq: before };
    const seq = append(session, type, body);
    if (idempotencyKey !== undefined) session.keys.set(idempotencyKey, seq);
    const content = (body as { readonly content?: Json } | null)?.content ?? body;
    for (const used of this.#usage) append(session, "usage.recorded", used);
    append(session, "agent.message", this.#agents[session.agent]?.(content) ?? null);
    append(session, "session.status_idle");
    return { seq };
  }

  async *events(
    context: CallContext,
    id: string,
    { after = 0, deltas = false }: { readonly after?: number; readonly deltas?: boolean } = {},
  ): AsyncIterable<AgentEvent> {
    const session = this.#own(context, id);
    if (deltas && after < session.log.length) yield { type: "agent.delta", body: "…" };
    for (let next = after; !context.signal?.aborted; next++) {
      while (next >= session.log.length && !session.ended && !context.signal?.aborted) {
        await new Promise<void>((resolve) => {
          session.waiting.add(resolve);
          context.signal?.addEventListener("abort", () => resolve(), { once: true });
        });
      }
      const event = session.log[next];
      if (event === undefined) return;
      yield event;
    }
  }

  async interrupt(context: CallContext, id: string): Promise<void> {
    this.#own(context, id);
  }

  async stop(context: CallContext, id: string): Promise<void> {
    const session = this.#own(context, id);
    session.ended = true;
    wake(session);
  }

  #own({ principal }: CallContext, id: string): Session {
    const session = this.#sessions.get(id);
    if (session?.tenant === principal.tenant) return session;
    throw new GatewayError("GATEWAY_NOT_FOUND", `There is no session ${id}.`);
  }
}

function append(session: Session, type: string, body?: Json): number {
  const seq = session.log.length + 1;
  session.log.push({ seq, type, ...(body === undefined ? {} : { body }) });
  wake(session);
  return seq;
}

function wake(session: Session): void {
  for (const resolve of session.waiting) resolve();
  session.waiting.clear();
}
