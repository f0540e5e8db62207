import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { type SecureContext, TLSSocket } from "node:tls";
import { canonicalHost, type Target } from "./host-name.ts";

interface EndedTunnel {
  readonly target: Target;
  readonly protocol: "https:" | "http:";
}

export interface EndedTunnelsOptions {
  /** From the start of a tunnel to its first request. */
  readonly headersMs: number;
  /** A tunnel in which nothing moves for so long is cut. */
  readonly idleMs: number;
  onRequest(request: IncomingMessage, response: ServerResponse, url: URL, target: Target): void;
}

/** Tunnels that go no further than this proxy: what they carry is read as HTTP, request by request. */
export class EndedTunnels {
  readonly #options: EndedTunnelsOptions;
  readonly #server: Server;
  readonly #tunnels = new WeakMap<Duplex, EndedTunnel & { readonly started: () => void }>();

  constructor(options: EndedTunnelsOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => this.#request(request, response));
    this.#server.on("clientError", (_error, socket: Duplex) => socket.destroy());
  }

  /** `secure` for a client that starts TLS: the certificate to show it. */
  take(client: Duplex, target: Target, secure: SecureContext | undefined): void {
    const end =
      secure === undefined
        ? client
        : new TLSSocket(client as never, {
            isServer: true,
            secureContext: secure,
            ALPNProtocols: ["http/1.1"],
          });
    const late = setTimeout(() => client.destroy(), this.#options.headersMs);
    client.once("close", () => {
      clearTimeout(late);
      end.destroy();
    });
    end.on("error", () => client.destroy());
    if ("setTimeout" in end) (end as TLSSocket).setTimeout(this.#options.idleMs, () => client.destroy());
    const protocol = secure === undefined ? "http:" : "https:";
    this.#tunnels.set(end, { target, protocol, started: () => clearTimeout(late) });
    this.#server.emit("connection", end);
  }

  #request(request: IncomingMessage, response: ServerResponse): void {
    const tunnel = this.#tunnels.get(request.socket);
    if (tunnel === undefined) return void request.socket.destroy();
    tunnel.started();
    const url = requested(request, tunnel);
    if (url === undefined) {
      response.writeHead(421, { connection: "close" }).end("The request is for another host than its tunnel.\n");
      return;
    }
    this.#options.onRequest(request, response, url, tunnel.target);
  }
}

/** The request's own word on where it goes must be the tunnel's. */
function requested({ url = "", headers }: IncomingMessage, { target, protocol }: EndedTunnel): URL | undefined {
  const { host = "" } = headers;
  const text = `${protocol}//${host}`;
  if (!url.startsWith("/") || /[/?#@\\]/.test(host) || !URL.canParse(text)) return undefined;
  const base = new URL(text);
  const port = Number(base.port || (protocol === "https:" ? 443 : 80));
  if (canonicalHost(base.hostname) !== target.host || port !== target.port) return undefined;
  return URL.canParse(base.origin + url) ? new URL(base.origin + url) : undefined;
}
