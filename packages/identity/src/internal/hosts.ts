import ipaddr from "ipaddr.js";
import { IdentityError } from "../errors.ts";

/** `URL`'s own error carries the whole text, queries and passwords included; this one carries nothing. */
export function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null) throw new IdentityError("IDENTITY_INVALID", "The request's URL is not an absolute URL.");
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new IdentityError("IDENTITY_INVALID", "A credential is only put into http and https requests.");
  }
  if (url.username !== "" || url.password !== "") {
    throw new IdentityError("IDENTITY_INVALID", "The request's URL carries a user or password of its own.");
  }
  return url;
}

/** Whether a binding's entry covers this URL's host, port and scheme. */
export function matchesHost(entry: string, { protocol, hostname, port }: URL): boolean {
  const [, scheme, pattern = "", wantedPort] = /^(https?:\/\/)?(.+?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
  const isHttp = protocol === "http:";
  if (scheme !== undefined ? scheme !== `${protocol}//` : isHttp && !isLoopback(hostname)) return false;
  if ((wantedPort ?? standardPort(protocol)) !== (port === "" ? standardPort(protocol) : port)) return false;
  const host = hostname.replace(/\.$/, "");
  return pattern.startsWith("*.") ? host.endsWith(pattern.slice(1)) && host.length >= pattern.length : host === pattern;
}

const standardPort = (protocol: string): string => (protocol === "https:" ? "443" : "80");

export function isLoopback(hostname: string): boolean {
  const literal = hostname.replace(/^\[|\]$/g, "");
  return literal === "localhost" || (ipaddr.isValid(literal) && ipaddr.process(literal).range() === "loopback");
}
