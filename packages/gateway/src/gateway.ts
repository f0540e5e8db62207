import type { AgentSessions } from "./agent-sessions.ts";
import { AgentApi } from "./agents/agent-api.ts";
import { type AgentConventions, defaultConventions } from "./agents/conventions.ts";
import { operationAt } from "./agents/operations.ts";
import { type Publication, Publications } from "./agents/publications.ts";
import { UsageMeter } from "./agents/usage-meter.ts";
import { type Answer, toResponse } from "./answer.ts";
import type { Approvals } from "./approvals.ts";
import type { CredentialInjector } from "./credential-injector.ts";
import { type CallContext, type Clock, systemClock } from "./dialect.ts";
import { type Entered, Entrance } from "./entrance.ts";
import { GatewayError } from "./errors.ts";
import { protectedResourceMetadata, type ResourceMetadata, stepUp } from "./http/auth.ts";
import { admitOrigin, type OriginOptions } from "./http/origin.ts";
import { pathOf } from "./http/path.ts";
import { problemAnswer, problemOf } from "./http/problem.ts";
import { InMemoryRateLimiter } from "./in-memory/in-memory-rate-limiter.ts";
import { InMemorySlotLimiter } from "./in-memory/in-memory-slot-limiter.ts";
import type { Caller, InboundAuthenticator } from "./inbound-authenticator.ts";
import { type Going, InFlight } from "./internal/in-flight.ts";
import { Leases } from "./internal/leases.ts";
import { inSpan, onSpan, SpanKind, withCallerTrace } from "./internal/tracing.ts";
import { LimitedError } from "./limits/limited-error.ts";
import { Limits, type LimitsOptions } from "./limits/limits.ts";
import { McpEndpoint } from "./mcp/endpoint.ts";
import { SealedSessions } from "./mcp/sealed-sessions.ts";
import type { Permissions } from "./permissions.ts";
import { ScopeError, ScopeGuard, type ScopeRule } from "./scope-guard.ts";
import { searchedTools } from "./searched-tools.ts";
import type { SocketAcceptance } from "./socket.ts";
import type { Target, TargetFactory } from "./target.ts";
import { ToolAccess } from "./tool-access.ts";
import { ToolCatalog } from "./tool-catalog.ts";
import type { ToolInterceptor } from "./tool-interceptor.ts";
import { ToolRegistry } from "./tool-registry.ts";
import type { ToolSource } from "./tool-source.ts";
import type { Transport } from "./transport.ts";
import { UndiciTransport } from "./undici-transport.ts";

export interface GatewayDeps {
  /** Required: use `anyone(principal)` to let everybody in. */
  readonly authenticator: InboundAuthenticator;
  readonly agents?: AgentSessions;
  /** Which agents are published under which names. Default: each under its own. */
  readonly publications?: Readonly<Record<string, Publication>>;
  readonly targets?: readonly (Target | TargetFactory)[];
  /** Resolves the `credentialRef` of targets. */
  readonly injector?: CredentialInjector;
  /** Without it every caller who is authenticated may call every tool and agent. */
  readonly permissions?: Permissions;
  /** Where calls wait that permissions answer with `ask`. Without it they are refused. */
  readonly approvals?: Approvals;
  /** Scopes that a caller's credential must have: a call that lacks one is told which to ask for (step-up). */
  readonly scopes?: readonly ScopeRule[];
  /** Which tools a caller is shown: all, or those for which permissions do not answer `tool.list` with `deny`. */
  readonly listing?: "all" | "permitted";
  /** Digests by `toolDigest` of descriptions that were approved, by `<target>/<tool>`: a changed tool is gone. */
  readonly pinned?: Readonly<Record<string, string>>;
  /** Other names for tools, by name: `{ refund: "bank___refund" }`. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** `/mcp` offers one `search_tools` in place of the list. */
  readonly search?: boolean;
  readonly interceptors?: readonly ToolInterceptor[];
  /** Whether arguments must fit a tool's schema. Default: wherever messages do not just pass through. */
  readonly validateArguments?: boolean;
  /** Of one tool's answer. Default: the transport's. */
  readonly maxOutputBytes?: number;
  readonly limits?: LimitsOptions;
  /** How requests leave. Default: `UndiciTransport`, which dials public addresses only. */
  readonly transport?: Transport;
  /** `host` or `host:port` of targets on private addresses that the default transport may dial. */
  readonly allow?: readonly string[];
  /** Published at `/.well-known/oauth-protected-resource` and named in 401 answers (RFC 9728). */
  readonly resource?: ResourceMetadata;
  /** Guards browsers and loopback names against rebinding. */
  readonly origins?: OriginOptions;
  readonly conventions?: Partial<AgentConventions>;
  /** 32 bytes, shared by the processes that serve one address, so that they know each other's MCP sessions. */
  readonly sessionKey?: Uint8Array;
  /** Of one request. Default 4 MiB. */
  readonly maxBodyBytes?: number;
  readonly clock?: Clock;
}

/** What the server knows of a connection, beside the request itself. */
export interface Connection {
  /** The peer's address as the socket says it. */
  readonly remoteAddress?: string;
  /** All names of the request's headers, in lower case, where the server has them at hand. */
  readonly headerNames?: readonly string[];
}

/**
 * The front door as one function from `Request` to `Response`: `/agents`, `/mcp`, `/mcp/{target}`, `/healthz`,
 * `/readyz` and the OAuth metadata. In process, `tools` is the same door for tools.
 */
export class Gateway implements AsyncDisposable {
  readonly #entrance: Entrance;
  readonly #injector: CredentialInjector | undefined;
  readonly #transport: Transport;
  readonly #ownsTransport: boolean;
  readonly #clock: Clock;
  readonly #limits: Limits;
  readonly #registry: ToolRegistry;
  readonly #mcp: McpEndpoint;
  readonly #agents: AgentApi | undefined;
  readonly #publications: Publications | undefined;
  readonly #meter: UsageMeter | undefined;
  readonly #resource: ResourceMetadata | undefined;
  readonly #origins: OriginOptions;
  readonly #inFlight: InFlight;

  constructor({
    authenticator,
    agents,
    publications,
    targets = [],
    injector,
    permissions,
    approvals,
    scopes = [],
    listing = "all",
    pinned = {},
    aliases = {},
    search = false,
    interceptors = [],
    validateArguments,
    maxOutputBytes,
    limits = { rules: [] },
    transport,
    allow = [],
    resource,
    origins = {},
    conventions,
    sessionKey,
    maxBodyBytes = 4 * 1024 * 1024,
    clock = systemClock,
  }: GatewayDeps) {
    this.#injector = injector;
    this.#ownsTransport = transport === undefined;
    this.#transport = transport ?? new UndiciTransport({ allow });
    this.#clock = clock;
    this.#inFlight = new InFlight(clock);
    this.#resource = resource;
    this.#origins = origins;
    this.#limits = new Limits({
      ...limits,
      limiter: limits.limiter ?? new InMemoryRateLimiter({ clock }),
      slots: limits.slots ?? new InMemorySlotLimiter(),
    });
    const guard = new ScopeGuard(scopes);
    this.#entrance = new Entrance({ authenticator, limits: this.#limits, resource });
    const catalog = new ToolCatalog({ clock, permissions, listing, pinned });
    const leases = new Leases<Target>();
    const access = new ToolAccess({
      permissions,
      approvals,
      guard,
      limits: this.#limits,
      catalog,
      leases,
      interceptors,
      validateArguments,
      maxOutputBytes,
    });
    this.#registry = new ToolRegistry({ access, catalog, leases, aliases, transparent: !search });
    this.#mcp = new McpEndpoint({
      registry: this.#registry,
      tools: search ? searchedTools(this.#registry) : this.#registry,
      catalog,
      access,
      transparent: interceptors.length === 0,
      ownLists: listing === "all" && Object.keys(pinned).length === 0,
      resource,
      maxBodyBytes,
      sessions: new SealedSessions(sessionKey === undefined ? {} : { key: sessionKey }),
    });
    this.#publications = agents === undefined ? undefined : new Publications(agents, publications);
    const spoken = { ...defaultConventions, ...conventions };
    this.#meter = agents === undefined ? undefined : new UsageMeter(agents, this.#limits, spoken);
    this.#agents =
      agents === undefined || this.#publications === undefined || this.#meter === undefined
        ? undefined
        : new AgentApi({
            sessions: agents,
            publications: this.#publications,
            guard,
            meter: this.#meter,
            leaving: this.#inFlight.leaving,
            permissions,
            clock,
            maxBodyBytes,
            prefix: "/agents",
            conventions: spoken,
          });
    for (const target of targets) this.addTarget(target);
  }

  /** The tools of all targets, behind the same permissions and limits as the MCP endpoint. */
  get tools(): ToolSource {
    return this.#registry;
  }

  /** Throws kind `conflict` while another target has this name. */
  addTarget(target: Target | TargetFactory): Target {
    const made = this.#made(target);
    this.#registry.add(made);
    return made;
  }

  /** New calls go to it at once; the one it replaces is closed when its calls have ended, or the signal aborts. */
  async replaceTarget(target: Target | TargetFactory, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#registry.replace(this.#made(target), options.signal);
  }

  /** Takes its tools away at once and closes it when its calls have ended, or the signal aborts; false: there was none. */
  async removeTarget(name: string, options: { readonly signal?: AbortSignal } = {}): Promise<boolean> {
    return this.#registry.remove(name, options.signal);
  }

  /** Under `name`, in the place of what stood there. Throws kind `invalid` without `agents`. */
  publishAgent(name: string, publication: Publication = { agent: name }): void {
    if (this.#publications === undefined) {
      throw new GatewayError("GATEWAY_INVALID", "The gateway was made without `agents`, so it has none to publish.");
    }
    this.#publications.publish(name, publication);
  }

  /** Nothing stands at this name any more; sessions go on where they run. */
  withdrawAgent(name: string): boolean {
    return this.#publications?.withdraw(name) ?? false;
  }

  /** A handler to give to any server that speaks `Request` and `Response`. Never rejects. */
  readonly fetch = async (request: Request, connection: Connection = {}): Promise<Response> =>
    toResponse(await this.answer(request, connection));

  /** The same for a server that writes bytes itself and need not make a `Response` of them. Never rejects. */
  readonly answer = async (request: Request, connection: Connection = {}): Promise<Answer> => {
    try {
      return await withCallerTrace(request.headers, () => this.#route(request, connection));
    } catch (error) {
      return this.#refusal(error);
    }
  };

  /**
   * For a request that asks to become a WebSocket: who may says how to speak, or the response that refuses. Never
   * rejects. Adapters ask it; `serve` and `acceptSockets` of `./node` do.
   */
  readonly upgrade = async (request: Request, connection: Connection = {}): Promise<SocketAcceptance | Response> => {
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
  };

  /** Refuses new calls with 503 and waits for those under way, or until the signal aborts. */
  async drain(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#inFlight.drain(options);
  }

  /** Drains nothing: call `drain` first where calls should end well. */
  async close(): Promise<void> {
    this.#meter?.close();
    await this.#registry.close();
    if (this.#ownsTransport) await this.#transport.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #route(request: Request, connection: Connection): Promise<Answer> {
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

  async #mcpCall(
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

  #made(target: Target | TargetFactory): Target {
    return typeof target === "function" ? target(this.#parts()) : target;
  }

  #parts(): Parameters<TargetFactory>[0] {
    return {
      transport: this.#transport,
      clock: this.#clock,
      ...(this.#injector === undefined ? {} : { injector: this.#injector }),
    };
  }
}

const plain = (status: number, text: string): Answer => ({
  status,
  headers: { "content-type": "text/plain", "cache-control": "no-store" },
  body: `${text}\n`,
});

const notFound = (): GatewayError => new GatewayError("GATEWAY_NOT_FOUND", "There is nothing at this address.");
