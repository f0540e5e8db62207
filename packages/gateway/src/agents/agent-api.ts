import type { AgentSessions } from "../agent-sessions.ts";
import { type Answer, emptyAnswer, jsonAnswer } from "../answer.ts";
import { facetsOf } from "../callers.ts";
import type { CallContext, Clock, Json } from "../dialect.ts";
import { GatewayError } from "../errors.ts";
import { parseJson, readBody } from "../http/body.ts";
import { onSpan } from "../internal/tracing.ts";
import type { Permissions } from "../permissions.ts";
import type { ScopeGuard } from "../scope-guard.ts";
import type { SocketAcceptance } from "../socket.ts";
import { agentSocket } from "./agent-socket.ts";
import { type AgentConventions, untilSettled } from "./conventions.ts";
import { eventStream } from "./event-stream.ts";
import { agentsDocument } from "./openapi-document.ts";
import { operationAt } from "./operations.ts";
import type { Publication, Publications } from "./publications.ts";
import {
  invokeBody,
  type MessageBody,
  messageBody,
  type OpenBody,
  openBody,
  parsed,
  type Sent,
  stopBody,
} from "./schemas.ts";
import type { UsageMeter } from "./usage-meter.ts";

export interface AgentApiDeps {
  readonly sessions: AgentSessions;
  readonly publications: Publications;
  readonly guard: ScopeGuard;
  readonly meter: UsageMeter;
  readonly permissions?: Permissions | undefined;
  readonly conventions: AgentConventions;
  readonly clock: Clock;
  readonly maxBodyBytes: number;
  /** How a session's own address begins, e.g. `/agents`. */
  readonly prefix: string;
  /** Aborted when the gateway begins to drain: what never ends by itself ends then, to be resumed elsewhere. */
  readonly leaving: AbortSignal;
}

interface Begun {
  readonly id: string;
  readonly seq: number;
}

/** Agents over HTTP: ask and wait, ask and listen, or keep a session. */
export class AgentApi {
  readonly #deps: AgentApiDeps;

  constructor(deps: AgentApiDeps) {
    this.#deps = deps;
  }

  /** `path` is what follows the prefix, split at its slashes and decoded; `undefined` is no route. */
  async handle(context: CallContext, request: Request, path: readonly string[]): Promise<Answer | undefined> {
    const [agent, ...rest] = path;
    if (agent === undefined) return request.method === "GET" ? this.#list(context, request) : undefined;
    if (agent === "openapi.json" && rest.length === 0 && request.method === "GET") return this.#document(context);
    const found = operationAt(request.method, rest);
    if (found === undefined) return undefined;
    const { sessions } = this.#deps;
    const { session } = found;
    onSpan({ "gen_ai.agent.name": agent });
    // Those who only listen make traces of their own, which are not the session's.
    if (session !== "" && request.method === "POST") onSpan({ "gen_ai.conversation.id": session });
    const publication = this.#deps.publications.resolve(agent);
    switch (found.operation.id) {
      case "invoke":
        return this.#invoke(context, request, agent, publication);
      case "stream":
        return this.#stream(context, request, agent, publication);
      case "open": {
        await this.#permit(context, agent);
        const body = parsed(openBody, await this.#body(request, {}));
        const opened = await sessions.open(context, openRequest(publication, body));
        onSpan({ "gen_ai.conversation.id": opened.id });
        return jsonAnswer(201, opened, { location: this.#eventsOf(agent, opened.id) });
      }
      case "events":
        return this.#events(context, request, agent, publication, session);
      case "send": {
        const message = parsed(messageBody, await this.#body(request));
        await this.#enter(context, agent, publication, session, message.body);
        return jsonAnswer(202, await this.#send(context, agent, session, message));
      }
      case "interrupt":
        await this.#enter(context, agent, publication, session);
        await sessions.interrupt(context, session);
        return emptyAnswer(202);
      case "stop": {
        const { graceMs } = parsed(stopBody, await this.#body(request, {}));
        await this.#enter(context, agent, publication, session);
        await sessions.stop(context, session, graceMs === undefined ? {} : { graceMs });
        return emptyAnswer(202);
      }
      case "connect":
        throw new GatewayError("GATEWAY_INVALID", "This address is a WebSocket: ask with `Upgrade: websocket`.");
    }
  }

  /** For a request that asks to become a WebSocket; `undefined` is no route. */
  async connect(
    context: CallContext,
    request: Request,
    [agent, ...rest]: readonly string[],
    admit: () => Promise<unknown>,
  ): Promise<SocketAcceptance | undefined> {
    if (agent === undefined || operationAt(request.method, rest)?.operation.id !== "connect") return undefined;
    const publication = this.#deps.publications.resolve(agent);
    const { sessions, maxBodyBytes, leaving } = this.#deps;
    const query = new URL(request.url).searchParams;
    const joined = query.get("session");
    const externalId = query.get("externalId") ?? undefined;
    const resume = resumption(query, query.get("after"));
    if (joined === null) await this.#permit(context, agent);
    else await this.#enter(context, agent, publication, joined);
    const session =
      joined ?? (await sessions.open(context, openRequest(publication, parsed(openBody, { externalId })))).id;
    return {
      maxMessageBytes: maxBodyBytes,
      run: (channel) =>
        agentSocket(channel, {
          context,
          sessions,
          send: (keyed, message) => this.#send(keyed, agent, session, message),
          session,
          resume,
          leaving,
          admit: async (body) => {
            await admit();
            await this.#permit(context, agent, body);
          },
        }),
    };
  }

  async #list(context: CallContext, request: Request): Promise<Answer> {
    const cursor = new URL(request.url).searchParams.get("cursor") ?? undefined;
    return jsonAnswer(200, await this.#visible(context, cursor));
  }

  async #document(context: CallContext): Promise<Answer> {
    const agents = [];
    let cursor: string | undefined;
    do {
      const page = await this.#visible(context, cursor);
      agents.push(...page.items);
      cursor = page.cursor;
    } while (cursor !== undefined);
    return jsonAnswer(200, agentsDocument(agents, this.#deps.prefix));
  }

  async #visible(context: CallContext, cursor: string | undefined): ReturnType<AgentSessions["agents"]> {
    const page = await this.#deps.publications.list(context, cursor);
    const { permissions } = this.#deps;
    if (permissions === undefined) return page;
    const shown = await Promise.all(
      page.items.map(async ({ name }) => {
        const { effect } = await permissions.decide(context, { action: "agent.list", resource: name });
        return effect === "allow";
      }),
    );
    return { ...page, items: page.items.filter((_, index) => shown[index]) };
  }

  async #invoke(context: CallContext, request: Request, agent: string, publication: Publication): Promise<Answer> {
    const { id, seq } = await this.#begin(context, request, agent, publication);
    const settled = await untilSettled(
      this.#deps.sessions.events(context, id, { after: seq }),
      seq,
      this.#deps.conventions,
    );
    if (settled === undefined) {
      throw new GatewayError("GATEWAY_TARGET_UNAVAILABLE", `Session ${id} ended its events before it answered.`);
    }
    const { status, output } = settled;
    return jsonAnswer(settled.failed ? 502 : 200, { session: id, status, output, seq: settled.seq });
  }

  async #stream(context: CallContext, request: Request, agent: string, publication: Publication): Promise<Answer> {
    const { sessions, conventions, clock } = this.#deps;
    const { id, seq } = await this.#begin(context, request, agent, publication);
    const { context: own, stop } = abortable(context);
    return eventStream(sessions.events(own, id, { after: seq, deltas: true }), {
      clock,
      stop,
      until: (event) => event.seq !== undefined && event.seq > seq && conventions.settled.includes(event.type),
      headers: { "ashlar-session": id, location: `${this.#eventsOf(agent, id)}?after=${seq}` },
    });
  }

  async #events(
    context: CallContext,
    request: Request,
    agent: string,
    publication: Publication,
    session: string,
  ): Promise<Answer> {
    await this.#enter(context, agent, publication, session);
    const query = new URL(request.url).searchParams;
    const resume = resumption(query, request.headers.get("last-event-id") ?? query.get("after"));
    const { sessions, clock, leaving } = this.#deps;
    const { context: own, stop } = abortable(context, leaving);
    return eventStream(sessions.events(own, session, resume), {
      clock,
      stop,
      cut: () =>
        leaving.aborted ? new GatewayError("GATEWAY_DRAINING", "The gateway is shutting down: come again.") : undefined,
    });
  }

  async #begin(context: CallContext, request: Request, agent: string, publication: Publication): Promise<Begun> {
    const { sessions, conventions } = this.#deps;
    const body = parsed(invokeBody, await this.#body(request));
    if (body.session === undefined) await this.#permit(context, agent, body.input);
    else await this.#enter(context, agent, publication, body.session, body.input);
    const id = body.session ?? (await sessions.open(context, openRequest(publication, body))).id;
    onSpan({ "gen_ai.conversation.id": id });
    const { seq } = await this.#send(context, agent, id, { type: conventions.message, body: { content: body.input } });
    return { id, seq };
  }

  async #send(context: CallContext, agent: string, session: string, message: MessageBody): Promise<Sent> {
    const { sessions, meter } = this.#deps;
    const sent = await sessions.send(context, session, message);
    const facets = facetsOf(context.principal);
    meter.follow(context, session, sent.seq, { ...facets, agent: facets.agent ?? agent });
    return sent;
  }

  /** A permitted agent's address must not lead to the session of another agent. */
  async #enter(
    context: CallContext,
    agent: string,
    publication: Publication,
    session: string,
    args?: Json,
  ): Promise<void> {
    await this.#permit(context, agent, args);
    const found = await this.#deps.sessions.get?.(context, session);
    if (found === undefined || found.agent === publication.agent) return;
    throw new GatewayError(
      "GATEWAY_NOT_FOUND",
      `Agent ${agent} has no session ${JSON.stringify(session.slice(0, 128))}.`,
    );
  }

  async #permit(context: CallContext, agent: string, args?: Json): Promise<void> {
    const { permissions, guard } = this.#deps;
    guard.require(context, "agent.invoke", agent);
    if (permissions === undefined) return;
    const { effect, reason } = await permissions.decide(context, {
      action: "agent.invoke",
      resource: agent,
      ...(args === undefined ? {} : { arguments: args }),
    });
    if (effect !== "allow") throw new GatewayError("GATEWAY_DENIED", `Agent ${agent} is not permitted: ${reason}`);
  }

  async #body(request: Request, empty?: object): Promise<unknown> {
    const bytes = await readBody(request, this.#deps.maxBodyBytes);
    return bytes.byteLength === 0 && empty !== undefined ? empty : parseJson(bytes);
  }

  #eventsOf(agent: string, session: string): string {
    return `${this.#deps.prefix}/${encodeURIComponent(agent)}/sessions/${encodeURIComponent(session)}/events`;
  }
}

function openRequest(
  { agent, qualifier: pinned }: Publication,
  { externalId, qualifier, metadata }: OpenBody,
): Parameters<AgentSessions["open"]>[1] {
  if (pinned !== undefined && qualifier !== undefined && qualifier !== pinned) {
    throw new GatewayError("GATEWAY_INVALID", `This address serves ${pinned} alone: leave out \`qualifier\`.`);
  }
  const chosen = pinned ?? qualifier;
  return {
    agent,
    ...(externalId === undefined ? {} : { externalId }),
    ...(chosen === undefined ? {} : { qualifier: chosen }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

function resumption(
  query: URLSearchParams,
  after: string | null,
): { readonly after?: number; readonly deltas: boolean } {
  const deltas = query.get("deltas") !== "false";
  if (after === null || after === "") return { deltas };
  if (!/^\d{1,15}$/.test(after)) {
    throw new GatewayError("GATEWAY_INVALID", "Last-Event-ID and `after` are sequence numbers.");
  }
  return { deltas, after: Number(after) };
}

/** The stream outlives the request's handler, so it gets a signal that also ends with its reader. */
function abortable(
  context: CallContext,
  ...others: readonly AbortSignal[]
): { readonly context: CallContext; readonly stop: () => void } {
  const controller = new AbortController();
  const signals = [controller.signal, context.signal, ...others].filter((signal) => signal !== undefined);
  return { context: { ...context, signal: AbortSignal.any(signals) }, stop: () => controller.abort() };
}
