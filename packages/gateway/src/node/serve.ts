import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Gateway } from "../gateway.ts";
import { nodeListener, type Served } from "./listener.ts";
import { acceptSockets } from "./sockets.ts";

export interface ServeOptions {
  /** Default 0: any free one. */
  readonly port?: number;
  /** Default `127.0.0.1`. */
  readonly hostname?: string;
  /** From the first byte of a request to the last of its headers. Default 10 s. */
  readonly headersTimeoutMs?: number;
  /** From the first byte of a request to its last. Default 60 s. */
  readonly requestTimeoutMs?: number;
}

export interface GatewayServer extends AsyncDisposable {
  readonly url: string;
  readonly server: Server;
  /** Takes no new calls, lets those under way end for up to `graceMs` (default 10 s), then cuts what is left. */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}

/** Serves a gateway on Node's own HTTP server, WebSockets included. Rejects when the port cannot be had. */
export async function serve(
  gateway: Served & Pick<Gateway, "drain"> & Partial<Pick<Gateway, "upgrade">>,
  { port = 0, hostname = "127.0.0.1", headersTimeoutMs = 10_000, requestTimeoutMs = 60_000 }: ServeOptions = {},
): Promise<GatewayServer> {
  const server = createServer(
    {
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: 1000,
      maxHeaderSize: 16 * 1024,
    },
    nodeListener(gateway),
  );
  const { upgrade } = gateway;
  if (upgrade !== undefined) acceptSockets(server, { upgrade });
  server.listen(port, hostname);
  await once(server, "listening");
  const address = server.address() as AddressInfo;
  const host = address.family === "IPv6" ? `[${address.address}]` : address.address;

  let closing: Promise<void> | undefined;
  const close = ({ graceMs = 10_000 }: { readonly graceMs?: number } = {}): Promise<void> => {
    closing ??= (async () => {
      const closed = once(server, "close");
      server.close();
      await gateway.drain({ signal: AbortSignal.timeout(graceMs) });
      server.closeIdleConnections();
      const cut = setTimeout(() => server.closeAllConnections(), 250);
      await closed;
      clearTimeout(cut);
    })();
    return closing;
  };
  return { url: `http://${host}:${address.port}`, server, close, [Symbol.asyncDispose]: () => close() };
}
