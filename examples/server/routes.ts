import type { Gateway, InboundAuthenticator } from "@ashlar/gateway";

type Handler = (request: Request) => Promise<Response>;

/** `/console` and `/metrics` before the gateway, which has all other paths. */
export function routes(
  gateway: Gateway,
  { console, metrics }: { readonly console: Handler; readonly metrics: Handler },
): Gateway["fetch"] {
  return (request, connection) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/console" || pathname.startsWith("/console/")) return console(request);
    if (pathname === "/metrics") return metrics(request);
    return gateway.fetch(request, connection);
  };
}

/** A handler for those who have shown who they are. */
export function authenticated(authenticator: InboundAuthenticator, handler: Handler): Handler {
  return async (request) => {
    const principal = await authenticator.authenticate(request).catch(() => undefined);
    if (principal !== undefined) return handler(request);
    return new Response("Send an API key or a token as a bearer token.\n", {
      status: 401,
      headers: { "www-authenticate": "Bearer" },
    });
  };
}
