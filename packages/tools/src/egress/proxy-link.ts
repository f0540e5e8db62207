import { once } from "node:events";
import { chmod } from "node:fs/promises";
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock, Principal } from "../dialect.ts";
import type { EgressLink } from "../egress.ts";
import { ToolsError } from "../errors.ts";
import { isPublic } from "../internal/guarded-fetch.ts";
import type { AllowedHost, NetworkPolicy } from "../network-policy.ts";
import { BoundHosts } from "./bound-hosts.ts";
import { readClientHello } from "./client-hello.ts";
import type { EgressLog } from "./egress-decision.ts";
import type { EgressProxyDeps } from "./egress-proxy.ts";
import { EndedTunnels } from "./ended-tunnels.ts";
import { HOP_BY_HOP } from "./hop-by-hop.ts";
import { allows, canonicalHost, isAddress, type Target } from "./host-name.ts";
import type { LinkSubstitution } from "./substitution.ts";

export interface ProxyLinkOptions {
  readonly principal: Principal;
  readonly sandbox: string;
  readonly policy: NetworkPolicy;
  readonly socketPath: string;
  readonly allowPrivate: readonly AllowedHost[];
  readonly packageHosts: readonly AllowedHost[];
  readonly maxConnections: number;
  readonly idleMs: number;
  readonly headersMs: number;
  readonly lookup: NonNullable<EgressProxyDeps["lookup"]>;
  readonly clock: Clock;
  readonly log?: EgressLog;
  readonly substitution?: LinkSubstitution;
  onClose(): Promise<void>;
}

const MAX_HELLO_BYTES = 16 * 1024 + 5;
const DIAL_MS = 10_000;
const DENIED = "The network policy of this sandbox does not allow this host.\n";

/** The proxy of one sandbox. */
export class ProxyLink implements EgressLink {
  readonly socketPath: string;
  readonly certificates?: string;
  readonly #options: ProxyLinkOptions;
  readonly #server: Server;
  readonly #live = new Map<Duplex, Target>();
  #policy: NetworkPolicy;
  readonly #clients = new Set<Socket>();
  readonly #ended: EndedTunnels;
  readonly #bound: BoundHosts | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: ProxyLinkOptions) {
    this.#options = options;
    this.socketPath = options.socketPath;
    this.#policy = options.policy;
    assertOffered(options.policy, options.packageHosts);
    warnOfOpen(options.policy, options.sandbox);
    const { substitution, headersMs, idleMs, principal } = options;
    if (substitution !== undefined) {
      this.certificates = substitution.authority.certificate;
      this.#bound = new BoundHosts({ context: { principal }, ...substitution });
    }
    this.#ended = new EndedTunnels({
      ...{ headersMs, idleMs },
      onRequest: (request, response, url, target) => void this.#exchange(request, response, url, target),
    });
    const connectionsCheckingInterval = Math.min(headersMs, 1_000);
    this.#server = createServer({ headersTimeout: headersMs, connectionsCheckingInterval });
    this.#server.on("connection", (socket: Socket) => this.#count(socket));
    this.#server.on("connect", (request, socket: Duplex, head: Buffer) => void this.#tunnel(request, socket, head));
    this.#server.on("request", (request, response) => void this.#forward(request, response));
    this.#server.on("upgrade", (_request, socket: Duplex) => refuse(socket, 501));
    this.#server.on("clientError", (_error, socket: Duplex) => refuse(socket, 400));
  }

  /** The user inside a sandbox is not the one outside, so that anyone who knows the path may speak. */
  async listen(): Promise<void> {
    this.#server.listen(this.socketPath);
    await once(this.#server, "listening");
    await chmod(this.socketPath, 0o666);
  }

  readonly environment: EgressLink["environment"] = proxyVariables;

  async setPolicy(policy: NetworkPolicy): Promise<void> {
    assertOffered(policy, this.#options.packageHosts);
    warnOfOpen(policy, this.#options.sandbox);
    this.#policy = policy;
    for (const [socket, { host, port }] of this.#live) {
      if (!this.#permits(host, port)) socket.destroy();
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const socket of [...this.#live.keys(), ...this.#clients]) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.#options.onClose();
  }

  #count(socket: Socket): void {
    if (this.#clients.size >= this.#options.maxConnections) {
      this.#record({ host: "", port: 0 }, "deny", "connections");
      socket.destroy();
      return;
    }
    this.#clients.add(socket);
    socket.once("close", () => this.#clients.delete(socket));
  }

  async #tunnel(request: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
    client.on("error", () => client.destroy());
    const colon = (request.url ?? "").lastIndexOf(":");
    const target = this.#target((request.url ?? "").slice(0, colon), Number((request.url ?? "").slice(colon + 1)));
    if (target === undefined) return refuse(client, 403);
    if (await this.#isBound(target)) return this.#end(client, head, target);
    const upstream = await this.#dial(target);
    if (upstream === undefined) return refuse(client, 403);
    if (client.destroyed) return void upstream.destroy();
    this.#hold(client, upstream, target);
    client.write("HTTP/1.1 200 Connection established\r\n\r\n");
    upstream.once("close", () => {
      if (!upstream.readableEnded) client.destroy();
    });
    upstream.pipe(client);
    const opening = await firstBytes(client, head);
    if (opening === undefined || !this.#nameFits(opening, target)) {
      if (opening !== undefined) this.#record(target, "deny", "server_name");
      client.destroy();
      upstream.destroy();
      return;
    }
    upstream.write(opening);
    client.pipe(upstream);
  }

  /** A tunnel to a host with a credential: each request in it is dialled for, with the credential on it. */
  async #end(client: Duplex, head: Buffer, target: Target): Promise<void> {
    this.#live.set(client, target);
    client.once("close", () => this.#live.delete(client));
    client.write("HTTP/1.1 200 Connection established\r\n\r\n");
    const late = setTimeout(() => client.destroy(), this.#options.headersMs);
    const opening = await firstBytes(client, head);
    clearTimeout(late);
    if (opening === undefined || !this.#nameFits(opening, target)) {
      if (opening !== undefined) this.#record(target, "deny", "server_name");
      client.destroy();
      return;
    }
    const secure = readClientHello(opening).kind === "hello";
    client.unshift(opening);
    this.#ended.take(
      client,
      target,
      secure ? this.#options.substitution?.authority.contextFor(target.host) : undefined,
    );
  }

  /** What TLS says about the other end must be what the proxy was asked for. */
  #nameFits(opening: Buffer, { host, port }: Target): boolean {
    const hello = readClientHello(opening);
    if (hello.kind === "not_tls") return port !== 443;
    if (hello.kind !== "hello") return false;
    if (hello.serverName === undefined) return isAddress(host);
    return canonicalHost(hello.serverName) === host;
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = URL.canParse(request.url ?? "") ? new URL(request.url ?? "") : undefined;
    if (url === undefined || url.protocol !== "http:" || url.username !== "" || url.password !== "") {
      response.writeHead(400).end("This proxy takes CONNECT, and http: requests in absolute form.\n");
      return;
    }
    const target = this.#target(url.hostname, Number(url.port || 80));
    if (target !== undefined && (await this.#isBound(target))) return this.#exchange(request, response, url, target);
    const upstream = target === undefined ? undefined : await this.#dial(target);
    if (target === undefined || upstream === undefined) {
      response.writeHead(403).end(DENIED);
      return;
    }
    this.#hold(request.socket, upstream, target);
    response.setHeader("connection", "close");
    const headers: Record<string, string | string[]> = { host: url.host };
    for (const [name, value] of Object.entries(request.headers)) {
      if (value !== undefined && name !== "host" && !HOP_BY_HOP.has(name)) headers[name] = value;
    }
    const outgoing = httpRequest({
      createConnection: () => upstream,
      method: request.method ?? "GET",
      path: url.pathname + url.search,
      headers: { ...headers, connection: "close" },
    });
    outgoing.on("response", (answer) => {
      const kept = Object.entries(answer.headers).filter(([name]) => !HOP_BY_HOP.has(name));
      response.writeHead(answer.statusCode ?? 502, Object.fromEntries(kept) as Record<string, string>);
      answer.once("error", () => response.destroy());
      answer.pipe(response);
    });
    outgoing.on("error", () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
    request.pipe(outgoing);
  }

  async #isBound(target: Target): Promise<boolean> {
    return (await this.#bound?.names(target)) ?? false;
  }

  async #exchange(request: IncomingMessage, response: ServerResponse, url: URL, target: Target): Promise<void> {
    const found = this.#permits(target.host, target.port) ? await this.#reach(target) : undefined;
    if (found === undefined) {
      response.writeHead(403, { connection: "close" }).end(DENIED);
      return;
    }
    this.#hold(response, found.socket, target);
    const record = (effect: "allow" | "deny", reason: string) =>
      this.#record(target, effect, reason, effect === "allow" ? found.address : undefined);
    await this.#bound?.exchange({ request, response, url, target, socket: found.socket, record });
  }

  #target(named: string, port: number): Target | undefined {
    const host = canonicalHost(named);
    if (host === undefined || !Number.isInteger(port) || port < 1 || port > 65_535) {
      this.#record({ host: named.slice(0, 253), port: Number.isInteger(port) ? port : 0 }, "deny", "name");
      return undefined;
    }
    if (this.#permits(host, port)) return { host, port };
    this.#record({ host, port }, "deny", "policy");
    return undefined;
  }

  #permits(host: string, port: number): boolean {
    const policy = this.#policy;
    if (policy.mode === "open") return true;
    if (policy.mode === "none") return false;
    const hosts = policy.mode === "allow" ? policy.hosts : [...this.#options.packageHosts, ...(policy.hosts ?? [])];
    return hosts.some((each) => allows(each, host, port));
  }

  async #dial(target: Target): Promise<Socket | undefined> {
    const found = await this.#reach(target);
    if (found !== undefined) this.#record(target, "allow", "policy", found.address);
    return found?.socket;
  }

  /** Resolves once, and dials an address of that answer. One address in it that is not public spoils the whole. */
  async #reach(target: Target): Promise<{ readonly socket: Socket; readonly address: string } | undefined> {
    const { lookup, allowPrivate } = this.#options;
    const { host, port } = target;
    const found = isAddress(host) ? [{ address: host }] : await lookup(host, { all: true }).catch(() => []);
    const isTrusted = allowPrivate.some((each) => allows(each, host, port));
    const address = found[0]?.address;
    if (address === undefined) {
      this.#record(target, "deny", "unreachable");
      return undefined;
    }
    if (!isTrusted && !found.every((each) => isPublic(each.address))) {
      this.#record(target, "deny", "address");
      return undefined;
    }
    const socket = connect({ host: address, port });
    try {
      await once(socket, "connect", { signal: AbortSignal.timeout(DIAL_MS) });
    } catch {
      socket.destroy();
      this.#record(target, "deny", "unreachable");
      return undefined;
    }
    return { socket, address };
  }

  #hold(client: Duplex | ServerResponse, upstream: Socket, target: Target): void {
    this.#live.set(upstream, target);
    upstream.setTimeout(this.#options.idleMs, () => upstream.destroy());
    upstream.on("error", () => upstream.destroy());
    upstream.once("close", () => this.#live.delete(upstream));
    client.once("close", () => upstream.destroy());
    if (this.#closing !== undefined || !this.#permits(target.host, target.port)) upstream.destroy();
  }

  #record({ host, port }: Target, effect: "allow" | "deny", reason: string, address?: string): void {
    const { log, clock, principal, sandbox } = this.#options;
    const found = address === undefined ? {} : { address };
    log?.record({ at: clock.now(), principal, sandbox, host, port, effect, reason, ...found });
  }
}

/**
 * The first TLS record whole, or whatever a client that does not speak TLS says first; `undefined` when it goes before.
 * Until then nothing of the client's has reached the other end, which may speak meanwhile.
 */
async function firstBytes(client: Duplex, head: Buffer): Promise<Buffer | undefined> {
  const gone = new AbortController();
  client.once("close", () => gone.abort());
  let bytes = head;
  while (readClientHello(bytes).kind === "incomplete") {
    const chunk: unknown = client.read();
    if (chunk instanceof Buffer) bytes = Buffer.concat([bytes, chunk]);
    else if (client.destroyed || client.readableEnded || bytes.length > MAX_HELLO_BYTES) return undefined;
    else {
      const waited = once(client, "readable", { signal: gone.signal });
      if ((await waited.catch(() => undefined)) === undefined) return undefined;
    }
  }
  return bytes;
}

function refuse(socket: Duplex, status: number): void {
  socket.end(`HTTP/1.1 ${status} Refused\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
}

/** `TOOLS_NETWORK_REFUSED` for the policy of package registries where the operator named none. */
export function assertOffered({ mode }: NetworkPolicy, packageHosts: readonly AllowedHost[]): void {
  if (mode !== "packages" || packageHosts.length > 0) return;
  throw new ToolsError("TOOLS_NETWORK_REFUSED", "The policy `packages` needs `packageHosts` of the egress proxy.");
}

export function proxyVariables(port: number): Readonly<Record<string, string>> {
  const proxy = `http://127.0.0.1:${port}`;
  const names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
  return {
    ...Object.fromEntries(names.map((name) => [name, proxy])),
    NO_PROXY: "127.0.0.1,localhost",
    NODE_USE_ENV_PROXY: "1",
  };
}

export function warnOfOpen({ mode }: NetworkPolicy, sandbox: string): void {
  if (mode !== "open") return;
  process.emitWarning(`Sandbox ${sandbox} may reach every public address.`, { code: "ASHLAR_TOOLS_OPEN_NETWORK" });
}
