import { ToolsError } from "../errors.ts";

const ALLOWED = new Set(["http:", "https:", "about:", "data:", "blob:"]);

/**
 * Addresses of the web only. `file:` would show the sandbox's own files, `chrome:` and `devtools:` the browser's
 * insides; `view-source:` and `filesystem:` wrap another address.
 */
export function isWebAddress(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, pathname } = new URL(url);
  if (protocol === "about:") return pathname === "blank" || pathname === "srcdoc";
  return ALLOWED.has(protocol);
}

export function webAddress(url: string): string {
  if (isWebAddress(url)) return url;
  throw new ToolsError("TOOLS_INVALID", `Only http: and https: addresses can be opened, not ${url.slice(0, 200)}.`);
}
