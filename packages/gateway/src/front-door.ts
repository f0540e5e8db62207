import type { AgentApi } from "./agents/agent-api.ts";
import { operationAt } from "./agents/operations.ts";
import { type Answer, toResponse } from "./answer.ts";
import type { CallContext, Clock } from "./dialect.ts";
import type { Entered, Entrance } from "./entrance.ts";
import { GatewayError } from "./errors.ts";
import type { Connection } from "./gateway-deps.ts";
import { protectedResourceMetadata, type ResourceMetadata, stepUp } from "./http/auth.ts";
import { admitOrigin, type OriginOptions } from "./http/origin.ts";
import { pathOf } from "./http/path.ts";
import { problemAnswer, problemOf } from "./http/problem.ts";
import type { Caller } from "./inbound-authenticator.ts";
import type { Going, InFlight } from "./internal/in-flight.ts";
import { inSpan, onSpan, SpanKind, withCallerTrace } from "./internal/tracing.ts";
import { LimitedError } from "./limits/limited-error.ts";
import type { Limits } from "./limits/limits.ts";
import type { McpEndpoint } from "./mcp/endpoint.ts";
import { ScopeError } from "./scope-guard.ts";
import type { SocketAcceptance } from "./socket.ts";
import type { ToolRegistry } from "./tool-registry.ts";

export interface FrontDoorDeps {
  readonly entrance: Entrance;
  readonly limits: Limits;
  readonly registry: ToolRegistry;
  readonly mcp: McpEndpoint;
  readonly agents: AgentApi | undefined;
  readonly resource: ResourceMetadata | undefined;
  readonly origins: OriginOptions;
  readonly inFlight: InFlight;
  readonly clock: Clock;
}

/** From an address to what answers there, past everything that a request must pass first. */
export class FrontDoor {
  readonly #entrance: Entrance;
  readonly #limits: Limits;
  readonly #registry: ToolRegistry;
  readonly #mcp: McpEndpoint;
  readonly #agents: AgentApi | undefined;
  readonly #resource: ResourceMetadata | undefined;
  readonly #origins: OriginOptions;
  readonly #inFlight: InFlight;
  readonly #clock: Clock;

  constructor({ entrance, limits, registry, mcp, agents, resource, origins, inFlight, clock }: FrontDoorDeps) {
    this.#entrance = entrance;
    this.#limits = limits;
    this.#registry = registry;
    this.#mcp = mcp;
    this.#agents = agents;
    this.#resource = resource;
    this.#origins = origins;
    this.#inFlight = inFlight;
    this.#clock = clock;
  }

  /** Never rejects. */
  async answer(request: Request, connection: Connection): Promise<Answer> {
    try {
      return await withCallerTrace(request.headers, () => this.#route(request, connection));
    } catch (error) {
      return this.#refusal(error);
    }
  }

  /** Never rejects. */
  async upgrade(request: Request, connection: Connection): Promise<SocketAcceptance | Response> {
    try {
      const [head, ...rest] = pathOf(request.url);
      admitOrigin(request, this.#origins);
      this.#inFlight.admit();
      if (head !== "agents" || this.#agents === undefined) throw notFound();
      const { remoteAddress: address } = connection;
      const entered = await this.#entrance.enter(request, { address, agent: rest[0], stays: true });
      if ("status" in entered) return toResponse(entered);
      return await this.#connected(this.#agents, request, rest, entered);
    } catch (error) {
      return toResponse(this.#refusal(error));
    }
  }

  #route(request: Request, connection: Connection): Answer | Promise<Answer> {
    const path = pathOf(request.url);
    const [head, ...rest] = path;
    if (path.length === 1 && head === "healthz") return plain(200, "ok");
    if (path.length === 1 && head === "readyz") {
      return this.#inFlight.draining ? plain(503, "draining") : plain(200, "ready");
    }
    admitOrigin(request, this.#origins);
    if (head === ".well-known" && rest[0] === "oauth-protected-resource" && this.#resource !== undefined) {
      return protectedResourceMetadata(this.#resource);
    }
    if (head !== "mcp" && head !== "agents") throw notFound();
    return this.#inFlight.run(() =>
      inSpan(
        `${request.method} /${head}`,
        SpanKind.SERVER,
        {
          "http.request.method": request.method,
          "http.route": `/${head}`,
          "url.path": `/${path.join("/")}`,
          "url.scheme": request.url.slice(0, request.url.indexOf(":")),
        },
        async (span) => {
          const served = await this.#serve(request, connection, head, rest);
          span.setAttribute("http.response.status_code", served.answer.status);
          return served;
        },
      ),
    );
  }

  async #serve(
    request: Request,
    { remoteAddress: address, headerNames }: Connection,
    head: "mcp" | "agents",
    rest: readonly string[],
  ): Promise<Going> {
    const [agent, ...operation] = head === "agents" ? rest : [];
    const stays =
      head === "mcp" ? request.method === "GET" : operationAt(request.method, operation)?.operation.streamed === true;
    const entered = await this.#entrance.enter(request, { address, agent, stays });
    if ("status" in entered) return { answer: entered };
    const { limited, caller, slots } = entered;
    onSpan({ "ashlar.tenant": caller.tenant });
    const context: CallContext = { ...entered.context, signal: request.signal };
    try {
      const answer =
        head === "mcp"
          ? await this.#mcpCall(context, request, rest, headerNames)
          : await this.#agentCall(context, request, rest);
      Object.assign(answer.headers, limited);
      return { answer, endsAt: caller.expiresAt, slots };
    } catch (error) {
      await Promise.allSettled(slots.map((slot) => slot.release()));
      throw error;
    }
  }

  async #connected(
    agents: AgentApi,
    request: Request,
    rest: readonly string[],
    { context, caller, facets, slots }: Entered,
  ): Promise<SocketAcceptance> {
    const release = () => Promise.allSettled(slots.map((slot) => slot.release()));
    const ended = new AbortController();
    const acceptance = await agents
      .connect({ ...context, signal: ended.signal }, request, rest, () => this.#limits.take(facets, "door"))
      .catch(async (error: unknown) => {
        await release();
        throw error;
      });
    if (acceptance === undefined) {
      await release();
      throw notFound();
    }
    return {
      ...acceptance,
      run: (channel) =>
        this.#inFlight.hold(async () => {
          const stop = this.#watch(caller, ended);
          try {
            await acceptance.run(channel);
          } finally {
            stop();
            await release();
          }
        }),
    };
  }

  #refusal(error: unknown): Answer {
    if (error instanceof ScopeError) return stepUp(error, this.#resource);
    return problemAnswer(problemOf(error), error instanceof LimitedError ? error.headers : {});
  }

  /** Aborts `ended` when the credential ends; the answer stops the watch. */
  #watch({ expiresAt }: Caller, ended: AbortController): () => void {
    const over = new AbortController();
    if (expiresAt !== undefined) {
      this.#clock.sleep(Math.max(0, expiresAt - this.#clock.now()), { signal: over.signal }).then(
        () => ended.abort(),
        () => {},
      );
    }
    return () => over.abort();
  }

  #mcpCall(
    context: CallContext,
    request: Request,
    rest: readonly string[],
    headerNames: readonly string[] | undefined,
  ): Promise<Answer> {
    const [name] = rest;
    if (name === undefined) return this.#mcp.handle(context, { request, headerNames });
    const target = rest.length === 1 ? this.#registry.target(name) : undefined;
    if (target === undefined) throw notFound();
    return this.#mcp.handle(context, { request, headerNames }, target);
  }

  async #agentCall(context: CallContext, request: Request, rest: readonly string[]): Promise<Answer> {
    const response = await this.#agents?.handle(context, request, rest);
    if (response === undefined) throw notFound();
    return response;
  }
}

const plain = (status: number, text: string): Answer => ({
  status,
  headers: { "content-type": "text/plain", "cache-control": "no-store" },
  body: `${text}\n`,
});

const notFound = (): GatewayError => new GatewayError("GATEWAY_NOT_FOUND", "There is nothing at this address.");
