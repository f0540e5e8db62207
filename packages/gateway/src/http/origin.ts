import { GatewayError } from "../errors.ts";

export interface OriginOptions {
  /** Host names, without a port, under which the gateway answers. Default: any. Set it for a gateway on loopback. */
  readonly hosts?: readonly string[];
  /** Origins of pages that may call, as browsers send them: `https://console.example`. Default: none. */
  readonly origins?: readonly string[];
}

/**
 * Refuses a browser page of another site, and a page that reached us by a name that we do not have (DNS rebinding).
 * Where `hosts` pins our names, a page served under the same host and port is ours.
 */
export function admitOrigin(request: Request, { hosts, origins = [] }: OriginOptions): void {
  const host = request.headers.get("host") ?? new URL(request.url).host;
  if (hosts !== undefined) {
    const named = hostOf(`http://${host}`)?.hostname;
    if (named === undefined || !hosts.includes(named)) {
      throw new GatewayError("GATEWAY_DENIED", "The gateway does not answer under this host name.");
    }
  }
  const origin = request.headers.get("origin");
  if (origin === null || origin === "" || origins.includes(origin)) return;
  if (hosts !== undefined && hostOf(origin)?.host === host) return;
  throw new GatewayError("GATEWAY_DENIED", "Pages of this origin may not call the gateway.");
}

function hostOf(url: string): URL | undefined {
  return URL.canParse(url) ? new URL(url) : undefined;
}
