import { GatewayError } from "../errors.ts";

export interface OriginOptions {
  /** Host names, without a port, under which the gateway answers. Default: any. Set it for a gateway on loopback. */
  readonly hosts?: readonly string[];
  /** Origins of pages that may call, as browsers send them: `https://console.example`. Default: none. */
  readonly origins?: readonly string[];
}

/** Refuses a browser page of another site, and a page that reached us by a name that we do not have (DNS rebinding). */
export function admitOrigin(request: Request, { hosts, origins = [] }: OriginOptions): void {
  if (hosts !== undefined) {
    const { hostname } = new URL(request.url);
    const header = request.headers.get("host");
    const named = header === null ? hostname : hostnameOf(`http://${header}`);
    if (named === undefined || !hosts.includes(named)) {
      throw new GatewayError("GATEWAY_DENIED", "The gateway does not answer under this host name.");
    }
  }
  const origin = request.headers.get("origin");
  if (origin !== null && origin !== "" && !origins.includes(origin)) {
    throw new GatewayError("GATEWAY_DENIED", "Pages of this origin may not call the gateway.");
  }
}

function hostnameOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}
