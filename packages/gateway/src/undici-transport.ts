import { lookup as systemLookup } from "node:dns";
import { Readable } from "node:stream";
import ipaddr from "ipaddr.js";
import { Agent, type Dispatcher } from "undici";
import type { OutboundRequest } from "./credential-injector.ts";
import { GatewayError } from "./errors.ts";
import { isPublic } from "./internal/guarded-fetch.ts";
import { denied, explain } from "./internal/outbound-errors.ts";
import { OutboundExchange } from "./internal/outbound-exchange.ts";
import type { OutboundResponse, SendOptions, Transport } from "./transport.ts";

export interface UndiciTransportOptions {
  /** Names that may be, or resolve to, private addresses: `"tickets.internal"`, or with a port `"127.0.0.1:4100"`. */
  readonly allow?: readonly string[];
  /** Decoded bytes of one answer. Event streams are not counted: they are bounded by their consumer. Default 16 MiB. */
  readonly maxBytes?: number;
  /** Default 60 s. */
  readonly timeoutMs?: number;
  /** Sockets per origin. Default 64. */
  readonly connections?: number;
  /** PEM certificates to trust beside the system's. */
  readonly ca?: string | readonly string[];
  readonly lookup?: typeof systemLookup;
}

interface Way {
  readonly origin: string;
  readonly path: string;
  readonly agent: Agent;
}

const MAX_WAYS = 1000;

/**
 * Pooled connections that resolve a name once and dial that very address, and dial nothing that is not public unless
 * its name is allowed.
 */
export class UndiciTransport implements Transport {
  readonly #allowed: ReadonlySet<string>;
  readonly #maxBytes: number;
  readonly #timeoutMs: number;
  readonly #guarded: Agent;
  readonly #trusted: Agent;
  readonly #ways = new Map<string, Way>();

  constructor({
    allow = [],
    maxBytes = 16 * 1024 * 1024,
    timeoutMs = 60_000,
    connections = 64,
    ca,
    lookup = systemLookup,
  }: UndiciTransportOptions = {}) {
    this.#allowed = new Set(allow.map((name) => name.toLowerCase()));
    this.#maxBytes = maxBytes;
    this.#timeoutMs = timeoutMs;
    const trust = ca === undefined ? {} : { ca: [ca].flat() as string[] };
    this.#guarded = new Agent({ connections, connect: { ...trust, lookup: refusePrivate(lookup) } });
    this.#trusted = new Agent({ connections, connect: { ...trust, lookup } });
  }

  async send(
    { method, url: address, headers, body }: OutboundRequest,
    { signal, timeoutMs = this.#timeoutMs }: SendOptions = {},
  ): Promise<OutboundResponse> {
    const { origin, path, agent } = this.#wayTo(address);
    if (signal?.aborted) throw explain(undefined, origin, signal);
    const exchange = new OutboundExchange(origin, this.#maxBytes, signal);
    agent.dispatch(
      {
        origin,
        path,
        method: method as Dispatcher.HttpMethod,
        headers: headers as Record<string, string>,
        body: body instanceof ReadableStream ? Readable.fromWeb(body as never) : (body ?? null),
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
      },
      exchange,
    );
    return exchange.begun;
  }

  async close(): Promise<void> {
    await Promise.all([this.#guarded.destroy(), this.#trusted.destroy()]);
  }

  /** Targets have few addresses and are called often. */
  #wayTo(address: string): Way {
    const known = this.#ways.get(address);
    if (known !== undefined) return known;
    const url = new URL(address);
    if (url.protocol !== "http:" && url.protocol !== "https:") {
      throw new GatewayError("GATEWAY_DENIED", `Only http and https can be called, not ${url.protocol}`);
    }
    const way = { origin: url.origin, path: url.pathname + url.search, agent: this.#agentFor(url) };
    if (this.#ways.size >= MAX_WAYS) this.#ways.clear();
    this.#ways.set(address, way);
    return way;
  }

  #agentFor(url: URL): Agent {
    const port = url.port || (url.protocol === "https:" ? "443" : "80");
    if (this.#allowed.has(url.hostname) || this.#allowed.has(`${url.hostname}:${port}`)) return this.#trusted;
    const literal = url.hostname.replace(/^\[|\]$/g, "");
    if (ipaddr.isValid(literal) && !isPublic(literal)) throw denied(url.hostname);
    return this.#guarded;
  }
}

function refusePrivate(lookup: typeof systemLookup): typeof systemLookup {
  const guarded = (host: string, options: object, done: (...result: unknown[]) => void) =>
    lookup(host, { ...options, all: true }, (error, found) => {
      if (error) return done(error);
      if (found.length === 0 || found.some(({ address }) => !isPublic(address))) return done(denied(host));
      const [first] = found;
      return "all" in options && options.all ? done(null, found) : done(null, first?.address, first?.family);
    });
  return guarded as typeof systemLookup;
}
