import ipaddr from "ipaddr.js";
import type { AllowedHost } from "../network-policy.ts";

export interface Target {
  /** As `canonicalHost` spells it. */
  readonly host: string;
  readonly port: number;
}

/**
 * One spelling of a host: lower case, IDN as ASCII, every spelling of an IPv4 address (`0x7f.1`, `2130706433`) as four
 * decimal parts, no final dot. `undefined` for what no URL could name.
 */
export function canonicalHost(host: string): string | undefined {
  if (host === "" || /[\s/?#@\\%]/.test(host)) return undefined;
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  try {
    const { hostname } = new URL(`http://${bare.includes(":") ? `[${bare}]` : bare}/`);
    const name = hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
    return name === "" || name.endsWith(".") ? undefined : name;
  } catch {
    return undefined;
  }
}

export const isAddress = (host: string): boolean => ipaddr.isValid(host);

/** `*.name` means everything below the name and not the name itself; without a port, 443 and 80. */
export function allows({ host, port }: AllowedHost, name: string, asked: number): boolean {
  if (port === undefined ? asked !== 443 && asked !== 80 : asked !== port) return false;
  if (!host.startsWith("*.")) return canonicalHost(host) === name;
  const base = canonicalHost(host.slice(2));
  return base !== undefined && !isAddress(name) && name.endsWith(`.${base}`);
}
