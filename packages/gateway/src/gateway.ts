import { AgentApi } from "./agents/agent-api.ts";
import { defaultConventions } from "./agents/conventions.ts";
import { type Publication, Publications } from "./agents/publications.ts";
import { UsageMeter } from "./agents/usage-meter.ts";
import { type Answer, toResponse } from "./answer.ts";
import { systemClock } from "./dialect.ts";
import { Entrance } from "./entrance.ts";
import { GatewayError } from "./errors.ts";
import { FrontDoor } from "./front-door.ts";
import type { Connection, GatewayDeps } from "./gateway-deps.ts";
import { InMemoryRateLimiter } from "./in-memory/in-memory-rate-limiter.ts";
import { InMemorySlotLimiter } from "./in-memory/in-memory-slot-limiter.ts";
import { InFlight } from "./internal/in-flight.ts";
import { Leases } from "./internal/leases.ts";
import { Limits } from "./limits/limits.ts";
import { McpEndpoint } from "./mcp/endpoint.ts";
import { SealedSessions } from "./mcp/sealed-sessions.ts";
import { ScopeGuard } from "./scope-guard.ts";
import { searchedTools } from "./searched-tools.ts";
import type { SocketAcceptance } from "./socket.ts";
import type { Target, TargetFactory, TargetParts } from "./target.ts";
import { type TargetHealth, TargetHealths } from "./target-health.ts";
import { ToolAccess } from "./tool-access.ts";
import { ToolCatalog } from "./tool-catalog.ts";
import { ToolRegistry } from "./tool-registry.ts";
import type { ToolSource } from "./tool-source.ts";
import type { Transport } from "./transport.ts";
import { UndiciTransport } from "./undici-transport.ts";

/**
 * The front door as one function from `Request` to `Response`: `/agents`, `/mcp`, `/mcp/{target}`, `/healthz`,
 * `/readyz` and the OAuth metadata. In process, `tools` is the same door for tools.
 */
export class Gateway implements AsyncDisposable {
  readonly #parts: TargetParts;
  readonly #transport: Transport;
  readonly #ownsTransport: boolean;
  readonly #registry: ToolRegistry;
  readonly #healths: TargetHealths;
  readonly #publications: Publications | undefined;
  readonly #meter: UsageMeter | undefined;
  readonly #inFlight: InFlight;
  readonly #door: FrontDoor;

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
    this.#ownsTransport = transport === undefined;
    this.#transport = transport ?? new UndiciTransport({ allow });
    this.#parts = { transport: this.#transport, clock, ...(injector === undefined ? {} : { injector }) };
    this.#inFlight = new InFlight(clock);
    this.#healths = new TargetHealths(clock);
    const counted = new Limits({
      ...limits,
      limiter: limits.limiter ?? new InMemoryRateLimiter({ clock }),
      slots: limits.slots ?? new InMemorySlotLimiter(),
    });
    const guard = new ScopeGuard(scopes);
    const catalog = new ToolCatalog({ clock, permissions, listing, pinned });
    const leases = new Leases<Target>();
    const access = new ToolAccess({
      permissions,
      approvals,
      guard,
      limits: counted,
      catalog,
      leases,
      healths: this.#healths,
      interceptors,
      validateArguments,
      maxOutputBytes,
    });
    this.#registry = new ToolRegistry({ access, catalog, leases, aliases, transparent: search === false });
    const mcp = new McpEndpoint({
      registry: this.#registry,
      tools: search === false ? this.#registry : searchedTools(this.#registry, search === true ? {} : search),
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
    this.#meter = agents === undefined ? undefined : new UsageMeter(agents, counted, spoken);
    const api =
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
    this.#door = new FrontDoor({
      entrance: new Entrance({ authenticator, limits: counted, resource }),
      limits: counted,
      registry: this.#registry,
      mcp,
      agents: api,
      resource,
      origins,
      inFlight: this.#inFlight,
      clock,
    });
    for (const target of targets) this.addTarget(target);
  }

  /** The tools of all targets, behind the same permissions and limits as the MCP endpoint. */
  get tools(): ToolSource {
    return this.#registry;
  }

  /** How each target has answered tool calls lately, as far as there were any: nothing is asked for it. */
  health(): readonly TargetHealth[] {
    return this.#registry.targets.map((target) => this.#healths.of(target));
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
  readonly answer = (request: Request, connection: Connection = {}): Promise<Answer> =>
    this.#door.answer(request, connection);

  /**
   * For a request that asks to become a WebSocket: who may says how to speak, or the response that refuses. Never
   * rejects. Adapters ask it; `serve` and `acceptSockets` of `./node` do.
   */
  readonly upgrade = (request: Request, connection: Connection = {}): Promise<SocketAcceptance | Response> =>
    this.#door.upgrade(request, connection);

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

  #made(target: Target | TargetFactory): Target {
    return typeof target === "function" ? target(this.#parts) : target;
  }
}
