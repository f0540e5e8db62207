import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { getCACertificates, type TLSSocket, connect as tlsConnect } from "node:tls";
import type { CallContext } from "../dialect.ts";
import { exchange, outboundRequest } from "./exchange.ts";
import { isAddress, type Target } from "./host-name.ts";
import { type BoundCredentials, isBound } from "./substitution.ts";

const HANDSHAKE_MS = 10_000;

export interface BoundHostsOptions {
  readonly context: CallContext;
  readonly credentials: BoundCredentials;
  readonly ca?: string | readonly string[];
}

export interface BoundRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly target: Target;
  /** Dialled to an address that the policy allows. */
  readonly socket: Socket;
  record(effect: "allow" | "deny", reason: string): void;
}

/** The hosts for which one sandbox has credentials, and the requests to them. */
export class BoundHosts {
  readonly #options: BoundHostsOptions;

  constructor(options: BoundHostsOptions) {
    this.#options = options;
  }

  /** Credentials that cannot be asked must not turn a bound host into a plain tunnel: then every host counts as one. */
  async names(target: Target): Promise<boolean> {
    const { credentials, context } = this.#options;
    return credentials.hosts(context).then(
      (hosts) => isBound(hosts, target),
      () => true,
    );
  }

  /** Has the host prove its name, and only then asks for the credential. */
  async exchange({ request, response, url, target, socket, record }: BoundRequest): Promise<void> {
    request.on("error", () => {});
    const refuse = (status: number, text: string) => {
      if (response.headersSent) response.destroy();
      else response.writeHead(status, { connection: "close" }).end(text);
    };
    const upstream = url.protocol === "http:" ? socket : await this.#prove(socket, target);
    if (upstream === undefined) {
      record("deny", "certificate");
      return refuse(502, "The host did not prove its name with a certificate.\n");
    }
    const granted = await this.#substitute(request, url).catch(() => undefined);
    if (granted === undefined) {
      record("deny", "credentials");
      upstream.destroy();
      return refuse(403, "The credentials for this host were refused for this request.\n");
    }
    record("allow", "substituted");
    await exchange(granted.request, granted.cleaner, upstream, response)
      .catch(() => refuse(502, "The host broke off.\n"))
      .finally(() => granted.cleaner.close());
  }

  async #substitute(request: IncomingMessage, url: URL): ReturnType<BoundCredentials["substitute"]> {
    const { credentials, context } = this.#options;
    const granted = await credentials.substitute(context, outboundRequest(request, url));
    if (new URL(granted.request.url).origin !== url.origin) throw new Error("The credentials named another host.");
    return granted;
  }

  async #prove(socket: Socket, { host }: Target): Promise<TLSSocket | undefined> {
    const { ca = [] } = this.#options;
    const secure = tlsConnect({
      ...{ socket, host, servername: isAddress(host) ? "" : host },
      ca: [...getCACertificates("default"), ...[ca].flat()],
      ALPNProtocols: ["http/1.1"],
    });
    secure.on("error", () => secure.destroy());
    try {
      await once(secure, "secureConnect", { signal: AbortSignal.timeout(HANDSHAKE_MS) });
      return secure;
    } catch {
      socket.destroy();
      return undefined;
    }
  }
}
