import type { Principal } from "../../dialect.ts";
import type { AllowedHost, NetworkPolicy } from "../../network-policy.ts";
import type { SentBody } from "./peer.ts";

/** What the proxy's process is told once, over its channel: neither its arguments nor its environment hold any of it. */
export interface ProxySettings {
  readonly allowPrivate: readonly AllowedHost[];
  readonly packageHosts: readonly AllowedHost[];
  readonly maxConnections: number;
  readonly idleMs: number;
  readonly headersMs: number;
  readonly authority?: { readonly certificate: string; readonly key: string };
  readonly ca?: string | readonly string[];
}

/** A link is named by the path of its socket. */
export interface OpenLink {
  readonly link: string;
  readonly principal: Principal;
  readonly sandbox: string;
  readonly policy: NetworkPolicy;
}

export interface SentRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: SentBody;
}
