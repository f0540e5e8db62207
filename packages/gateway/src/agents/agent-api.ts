import type { AgentSessions } from "../agent-sessions.ts";
import type { CallContext, Clock, Json } from "../dialect.ts";
import { GatewayError } from "../errors.ts";
import { parseJson, readBody } from "../http/body.ts";
import { inSpan, SpanKind } from "../internal/tracing.ts";
import type { Permissions } from "../permissions.ts";
import { type AgentConventions, untilSettled } from "./conventions.ts";
import { eventStream } from "./event-stream.ts";
import { invokeBody, messageBody, type OpenBody, openBody, parsed, stopBody } from "./schemas.ts";

export interface AgentApiDeps {
  readonly sessions: AgentSessions;
  readonly permissions?: Permissions | undefined;
  readonly conventions: AgentConventions;
  readonly clock: Clock;
  readonly maxBodyBytes: number;
  /** How a session's own address begins, e.g. `/agents`. */
  readonly prefix: string;
}

interface Opened {
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
  async handle(context: CallContext, request: Request, path: readonly string[]): Promise<Response | undefined> {
    const [agent, noun, session, verb] = path;
    const { method } = request;
    if (agent === undefined) return method === "GET" ? this.#list(context, request) : undefined;
    if (noun === "invoke" && path.length === 2 && method === "POST") return this.#invoke(context, request, agent);
    if (noun === "stream" && path.length === 2 && method === "POST") return this.#stream(context, request, agent);
    if (noun !== "sessions") return undefined;
    if (session === undefined) return method === "POST" ? this.#open(context, request, agent) : undefined;
    if (path.length !== 4) return undefined;
    if (verb === "events" && method === "GET") return this.#events(context, request, agent, session);
    if (method !== "POST") return undefined;
    await this.#permit(context, agent);
    switch (verb) {
      case "messages": {
        const message = parsed(messageBody, await this.#body(request));
        return json(202, await this.#deps.sessions.send(context, session, message));
      }
      case "interrupt":
        await this.#deps.sessions.interrupt(context, session);
        return new Response(null, { status: 202 });
      case "stop": {
        const { graceMs } = parsed(stopBody, await this.#body(request, {}));
        await this.#deps.sessions.stop(context, session, graceMs === undefined ? {} : { graceMs });
        return new Response(null, { status: 202 });
      }
      default:
        return undefined;
    }
  }

  async #list(context: CallContext, request: Request): Promise<Response> {
    const cursor = new URL(request.url).searchParams.get("cursor");
    const page = await this.#deps.sessions.agents(context, cursor === null ? {} : { cursor });
    const { permissions } = this.#deps;
    if (permissions === undefined) return json(200, page);
    const shown = await Promise.all(
      page.items.map(async ({ name }) => {
        const { effect } = await permissions.decide(context, { action: "agent.list", resource: name });
        return effect === "allow";
      }),
    );
    return json(200, { ...page, items: page.items.filter((_, index) => shown[index]) });
  }

  async #invoke(context: CallContext, request: Request, agent: string): Promise<Response> {
    const attributes = { "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": agent };
    return inSpan(`invoke_agent ${agent}`, SpanKind.SERVER, attributes, async (span) => {
      const { id, seq } = await this.#begin(context, request, agent);
      span.setAttribute("gen_ai.conversation.id", id);
      const settled = await untilSettled(
        this.#deps.sessions.events(context, id, { after: seq }),
        seq,
        this.#deps.conventions,
      );
      if (settled === undefined) {
        throw new GatewayError("GATEWAY_TARGET_UNAVAILABLE", `Session ${id} ended its events before it answered.`);
      }
      const { status, output } = settled;
      return json(settled.failed ? 502 : 200, { session: id, status, output, seq: settled.seq });
    });
  }

  async #stream(context: CallContext, request: Request, agent: string): Promise<Response> {
    const { sessions, conventions, clock } = this.#deps;
    const { id, seq } = await this.#begin(context, request, agent);
    const { context: own, stop } = abortable(context);
    return eventStream(sessions.events(own, id, { after: seq, deltas: true }), {
      clock,
      stop,
      until: (event) => event.seq !== undefined && event.seq > seq && conventions.settled.includes(event.type),
      headers: { "ashlar-session": id, location: this.#eventsOf(agent, id) },
    });
  }

  async #events(context: CallContext, request: Request, agent: string, session: string): Promise<Response> {
    await this.#permit(context, agent);
    const query = new URL(request.url).searchParams;
    const after = afterOf(request.headers.get("last-event-id") ?? query.get("after"));
    const deltas = query.get("deltas") !== "false";
    const { context: own, stop } = abortable(context);
    const events = this.#deps.sessions.events(own, session, { ...(after === undefined ? {} : { after }), deltas });
    return eventStream(events, { clock: this.#deps.clock, stop });
  }

  async #open(context: CallContext, request: Request, agent: string): Promise<Response> {
    await this.#permit(context, agent);
    const body = parsed(openBody, await this.#body(request, {}));
    const opened = await this.#deps.sessions.open(context, openRequest(agent, body));
    return json(201, opened, { location: this.#eventsOf(agent, opened.id) });
  }

  async #begin(context: CallContext, request: Request, agent: string): Promise<Opened> {
    const { sessions, conventions } = this.#deps;
    const body = parsed(invokeBody, await this.#body(request));
    await this.#permit(context, agent, body.input);
    const id = body.session ?? (await sessions.open(context, openRequest(agent, body))).id;
    const { seq } = await sessions.send(context, id, { type: conventions.message, body: { content: body.input } });
    return { id, seq };
  }

  async #permit(context: CallContext, agent: string, args?: Json): Promise<void> {
    const { permissions } = this.#deps;
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
  agent: string,
  { externalId, qualifier, metadata }: OpenBody,
): Parameters<AgentSessions["open"]>[1] {
  return {
    agent,
    ...(externalId === undefined ? {} : { externalId }),
    ...(qualifier === undefined ? {} : { qualifier }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

function afterOf(text: string | null): number | undefined {
  if (text === null || text === "") return undefined;
  if (!/^\d{1,15}$/.test(text)) {
    throw new GatewayError("GATEWAY_INVALID", "Last-Event-ID and `after` are sequence numbers.");
  }
  return Number(text);
}

/** The stream outlives the request's handler, so it gets a signal that also ends with its reader. */
function abortable(context: CallContext): { readonly context: CallContext; readonly stop: () => void } {
  const controller = new AbortController();
  const signals = [controller.signal, context.signal].filter((signal) => signal !== undefined);
  return { context: { ...context, signal: AbortSignal.any(signals) }, stop: () => controller.abort() };
}

const json = (status: number, body: object, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } });
