import { existsSync, readFileSync } from "node:fs";
import { ToolsError } from "../errors.ts";
import { AUTHORITIES_VARIABLE } from "../guest/way-out.ts";

/** `chromium` has every feature of a desktop browser; `headless-shell` is ready in less than half the time. */
export type BrowserProgram = "chromium" | "headless-shell";

/** The programs themselves: the scripts in `/usr/bin` read the environment and folders that are not shown inside. */
const PLACES: Readonly<Record<BrowserProgram, readonly string[]>> = {
  chromium: ["/usr/lib/chromium/chromium", "/usr/lib/chromium-browser/chromium-browser", "/opt/google/chrome/chrome"],
  "headless-shell": ["/usr/lib/chromium/chromium-headless-shell", "/usr/lib/chromium/headless_shell"],
};
const PACKAGES: Readonly<Record<BrowserProgram, string>> = {
  chromium: "chromium",
  "headless-shell": "chromium-headless-shell",
};

export function findProgram(program: BrowserProgram, named?: string): string {
  const found = (named === undefined ? PLACES[program] : [named]).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new ToolsError(
    "TOOLS_PROGRAM_MISSING",
    `There is no ${program} here: install the package ${PACKAGES[program]}, or name its absolute path.`,
  );
}

export interface Viewport {
  readonly width: number;
  readonly height: number;
}

/** Where the sandbox's guest forwards to the egress proxy. Without a way out nothing listens there. */
const PROXY = "http://127.0.0.1:3128";
const OFF = ["Translate", "MediaRouter", "OptimizationHints", "AutofillServerCommunication", "DialMediaRouteProvider"];

/**
 * Everything goes through the proxy, loopback too, names are never resolved inside, and WebRTC may not go around it.
 * `--no-sandbox` is nowhere: where Chromium cannot have its own sandbox it does not start.
 */
export function commandLine(path: string, { width, height }: Viewport): readonly string[] {
  const browser = [
    path,
    ...["--headless", "--remote-debugging-pipe", "--user-data-dir=/tmp/browser", `--window-size=${width},${height}`],
    ...[`--proxy-server=${PROXY}`, "--proxy-bypass-list=<-loopback>", "--disable-quic"],
    ...["--force-webrtc-ip-handling-policy=disable_non_proxied_udp"],
    ...["--disable-gpu", "--disable-dev-shm-usage", "--disk-cache-size=33554432", "--mute-audio", "--hide-scrollbars"],
    ...["--no-first-run", "--no-default-browser-check", "--disable-default-apps", "--disable-extensions"],
    ...["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-breakpad"],
    ...["--disable-crash-reporter", "--no-service-autorun", "--metrics-recording-only", "--password-store=basic"],
    ...["--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows"],
    `--disable-features=${OFF.join(",")}`,
    "about:blank",
  ];
  return ["/bin/sh", "-c", START, TRUST, ...browser];
}

/**
 * The guest lets no descriptor through but the three streams: the protocol's pipe, on 3 and 4, is made of two of them.
 * Where the proxy ends TLS its authority is trusted first, or the browser does not start. Its home is not the workspace.
 */
const START = `export HOME=/tmp/browser-home
if [ -n "$${AUTHORITIES_VARIABLE}" ]; then
  /usr/bin/python3 -I -S -c "$0" "$${AUTHORITIES_VARIABLE}" "$HOME/.pki/nssdb" </dev/null >/dev/null || exit 1
fi
exec "$@" 3<&0 4>&1 </dev/null >/dev/null`;
const TRUST = readFileSync(new URL("../../src/browser/programs/trust.py", import.meta.url), "utf8");
