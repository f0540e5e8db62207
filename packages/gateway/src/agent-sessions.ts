import type { CallContext, Json, Metadata, Page } from "./dialect.ts";

export interface AgentDescription {
  readonly name: string;
  readonly version: string;
  readonly description?: string;
  /** JSON Schema of its input and of its answer, where it says: they stand in the OpenAPI document. */
  readonly inputSchema?: Json;
  readonly outputSchema?: Json;
}

/** `seq` rises by one per kept event; an event without it is a live delta that a reconnect does not repeat. */
export interface AgentEvent {
  readonly seq?: number;
  readonly type: string;
  readonly body?: Json;
}

/** The agents that the gateway publishes. Sessions of another tenant are `not_found`, never `denied`. */
export interface AgentSessions {
  agents(context: CallContext, query?: { readonly cursor?: string }): Promise<Page<AgentDescription>>;

  /** The same `externalId` of one tenant and agent opens the same session again. */
  open(
    context: CallContext,
    request: {
      readonly agent: string;
      readonly qualifier?: string;
      readonly externalId?: string;
      readonly metadata?: Metadata;
    },
  ): Promise<{ readonly id: string; readonly status: string }>;

  /** Whose session it is. With it, an agent's address serves that agent's sessions alone. */
  get?(context: CallContext, session: string): Promise<{ readonly agent: string }>;

  /** `seq` is the message's own place in the log. A repeated `context.idempotencyKey` gives the first result. */
  send(
    context: CallContext,
    session: string,
    message: { readonly type: string; readonly body: Json },
  ): Promise<{ readonly seq: number }>;

  /** Everything after `after`, then what comes, until the session ends or `context.signal` aborts. */
  events(
    context: CallContext,
    session: string,
    options?: { readonly after?: number; readonly deltas?: boolean },
  ): AsyncIterable<AgentEvent>;

  interrupt(context: CallContext, session: string): Promise<void>;
  stop(context: CallContext, session: string, options?: { readonly graceMs?: number }): Promise<void>;
}
