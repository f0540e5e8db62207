import type { AgentSessions } from "../agent-sessions.ts";
import type { CallContext, Json } from "../dialect.ts";
import { parseJson } from "../http/body.ts";
import { problemOf } from "../http/problem.ts";
import type { SocketChannel } from "../socket.ts";
import { type MessageBody, parsed, type Sent, type SocketMessage, type SocketReply, socketMessage } from "./schemas.ts";

export interface AgentSocketOptions {
  readonly context: CallContext;
  readonly sessions: AgentSessions;
  readonly send: (context: CallContext, message: MessageBody) => Promise<Sent>;
  readonly session: string;
  readonly resume: { readonly after?: number; readonly deltas: boolean };
  readonly leaving: AbortSignal;
  /** Throws where a message may not be sent. */
  readonly admit: (body: Json) => Promise<void>;
}

/** A session over a WebSocket: its events as they come, and messages to it, one after another. */
export async function agentSocket(channel: SocketChannel, options: AgentSocketOptions): Promise<void> {
  const { context, sessions, session, resume, leaving } = options;
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, leaving, ...(context.signal === undefined ? [] : [context.signal])]);
  const own: CallContext = { ...context, signal };
  const say = (reply: SocketReply) => channel.send(JSON.stringify(reply));

  async function tell(): Promise<void> {
    for await (const { seq, type, body } of sessions.events(own, session, resume)) {
      await say({ op: "event", ...(seq === undefined ? {} : { seq }), type, ...(body === undefined ? {} : { body }) });
    }
  }

  async function listen(): Promise<void> {
    for await (const text of channel.messages) {
      let id: string | undefined;
      try {
        const message = parsed(socketMessage, parseJson(Buffer.from(text)));
        id = message.id;
        await say({ op: "done", ...(id === undefined ? {} : { id }), ...(await obey(options, message)) });
      } catch (error) {
        const { code, kind, detail, retryable } = problemOf(error);
        await say({ op: "error", ...(id === undefined ? {} : { id }), code, kind, detail, retryable });
      }
    }
  }

  const ended = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  try {
    await say({ op: "session", session });
    await Promise.race([tell(), listen(), ended]);
    if (leaving.aborted) channel.close(1001, "The gateway is shutting down.");
    else if (signal.aborted) channel.close(1008, "The credential has ended.");
    else channel.close(1000, "");
  } catch (error) {
    channel.close(1011, problemOf(error).code);
  } finally {
    over.abort();
  }
}

async function obey(
  { context, sessions, send, session, admit }: AgentSocketOptions,
  message: SocketMessage,
): Promise<{ readonly seq?: number }> {
  switch (message.op) {
    case "send": {
      const { type, body, idempotencyKey } = message;
      await admit(body);
      const keyed = idempotencyKey === undefined ? context : { ...context, idempotencyKey };
      return send(keyed, { type, body });
    }
    case "interrupt":
      await admit(null);
      await sessions.interrupt(context, session);
      return {};
    case "stop":
      await admit(null);
      await sessions.stop(context, session, message.graceMs === undefined ? {} : { graceMs: message.graceMs });
      return {};
  }
}
