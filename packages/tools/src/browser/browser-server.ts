import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { type Clock, type Principal, systemClock } from "../dialect.ts";
import { type AccessGrant, type AccessScope, AccessTokens } from "./access-tokens.ts";
import type { BrowserSession } from "./browser-session.ts";
import { DriverLink } from "./cdp/driver-link.ts";
import type { Recordings } from "./recordings.ts";
import { ViewerLink } from "./viewer-link.ts";

export interface BrowserServerDeps {
  /** Finds a running session: `(id) => browsers.get(id)`. */
  session(id: string): BrowserSession | undefined;
  readonly recordings?: Recordings;
  /** Path under which it is mounted: `/browsers`. Default none. */
  readonly basePath?: string;
  readonly clock?: Clock;
}

export interface AccessOptions {
  /** Default: a minute from now for drivers, an hour for people. */
  readonly expiresAt?: number;
}

const MINUTE_MS = 60_000;
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const MAX_VIEWERS = 20;
const LEAVING_MS = 500;
const TYPES = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
};
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
};
const files = new URL("../../src/browser/page/", import.meta.url);
const ASSETS = ["style.css", "live.js", "playback.js", "activity.js"] as const;

/**
 * Drivers and people at sessions: the DevTools protocol for one driver at a time, the live view, recordings. Every way
 * in takes a token that is good for one session or recording; pages themselves hold nothing.
 */
export class BrowserServer implements AsyncDisposable {
  readonly #deps: BrowserServerDeps;
  readonly #clock: Clock;
  readonly #tokens: AccessTokens;
  readonly #base: string;
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false });
  readonly #driven = new Map<string, Promise<void>>();
  readonly #viewers = new Map<string, number>();
  readonly #recorded = new Map<string, Principal>();
  #server: Server | undefined;

  constructor(deps: BrowserServerDeps) {
    this.#deps = deps;
    this.#clock = deps.clock ?? systemClock;
    this.#tokens = new AccessTokens({ clock: this.#clock });
    this.#base = deps.basePath ?? "";
  }

  /** Path and query for one connection of a driver: `connectOverCDP(`ws://…${path}`)`. Treat it like a password. */
  driverPath(session: BrowserSession, { expiresAt = this.#clock.now() + MINUTE_MS }: AccessOptions = {}): string {
    const token = this.#tokens.issue({ subject: session.id, scope: "drive", by: "driver", expiresAt });
    return `${this.#base}/cdp/${session.id}?token=${token}`;
  }

  /** Path of the live view for one person. The token is in the fragment, which browsers send to nobody. */
  livePath(
    session: BrowserSession,
    {
      by,
      mayControl = true,
      expiresAt = this.#clock.now() + 60 * MINUTE_MS,
    }: AccessOptions & {
      readonly by: string;
      readonly mayControl?: boolean;
    },
  ): string {
    const scope = mayControl ? "control" : "view";
    return `${this.#base}/live/${session.id}#${this.#tokens.issue({ subject: session.id, scope, by, expiresAt })}`;
  }

  /** Path of the page that plays a recording back. */
  recordingPath(
    recording: string,
    {
      principal,
      by,
      expiresAt = this.#clock.now() + 60 * MINUTE_MS,
    }: AccessOptions & {
      readonly principal: Principal;
      readonly by: string;
    },
  ): string {
    this.#recorded.set(recording, principal);
    return `${this.#base}/recordings/${recording}#${this.#tokens.issue({ subject: recording, scope: "replay", by, expiresAt })}`;
  }

  /** Takes back every token for a session or a recording; connections that are open stay. */
  revoke(subject: string): void {
    this.#tokens.revoke(subject);
  }

  /** Answers what is under `basePath`; false: not ours. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const route = this.#route(request);
    if (route === undefined) return false;
    void this.#answer(request, response, route).catch(() => {
      if (!response.headersSent) response.writeHead(500, HEADERS);
      response.end();
    });
    return true;
  }

  /** Takes an upgrade under `basePath`; false: not ours, the socket is untouched. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const route = this.#route(request);
    if (route === undefined) return false;
    const [kind = "", id = ""] = route.parts;
    const refuse = (status: string): true => {
      socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
      return true;
    };
    socket.on("error", () => socket.destroy());
    const session = this.#deps.session(id);
    if (kind === "cdp") {
      // A web page that got hold of a token must not be able to use it.
      if (request.headers.origin !== undefined) return refuse("403 Forbidden");
      const token = bearer(request) ?? route.query.get("token") ?? "";
      const allowed = (): boolean => this.#tokens.check(token, id, ["drive"]) !== undefined;
      if (session === undefined || !allowed()) return refuse("401 Unauthorized");
      void this.#vacant(id).then((vacant) => {
        if (!vacant) return refuse("409 Conflict");
        if (!allowed()) return refuse("401 Unauthorized");
        this.#tokens.spend(token);
        this.#drive(session, request, socket, head);
      });
      return true;
    }
    if (kind !== "live") return refuse("404 Not Found");
    if (!sameOrigin(request)) return refuse("403 Forbidden");
    const grant = this.#grant(request.headers["sec-websocket-protocol"]?.split(",")[1]?.trim(), id, [
      "view",
      "control",
    ]);
    if (session === undefined || grant === undefined) return refuse("401 Unauthorized");
    if ((this.#viewers.get(id) ?? 0) >= MAX_VIEWERS) return refuse("503 Service Unavailable");
    this.#sockets.handleUpgrade(request, socket, head, (opened) => this.#view(session, opened, grant));
    return true;
  }

  /** A server of its own; `handle` and `upgrade` put it into another. */
  async listen({ port = 0, host = "127.0.0.1" }: { readonly port?: number; readonly host?: string } = {}): Promise<{
    readonly port: number;
  }> {
    const server = createServer((request, response) => {
      if (!this.handle(request, response)) response.writeHead(404, HEADERS).end();
    });
    server.on("upgrade", (request, socket, head) => {
      if (!this.upgrade(request, socket, head)) socket.destroy();
    });
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, host, resolve));
    this.#server = server;
    return { port: (server.address() as AddressInfo).port };
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#sockets.close();
    this.#server?.closeAllConnections();
    await new Promise<void>((resolve) =>
      this.#server === undefined ? resolve() : this.#server.close(() => resolve()),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Whether nobody drives; one who is just leaving is given a moment to be gone. */
  async #vacant(id: string): Promise<boolean> {
    const leaving = this.#driven.get(id);
    if (leaving === undefined) return true;
    const enough = new AbortController();
    const late = this.#clock.sleep(LEAVING_MS, { signal: enough.signal }).catch(() => {});
    await Promise.race([leaving, late]);
    enough.abort();
    return !this.#driven.has(id);
  }

  #drive(session: BrowserSession, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const left = Promise.withResolvers<void>();
    this.#driven.set(session.id, left.promise);
    const end = (): void => {
      this.#driven.delete(session.id);
      left.resolve();
    };
    socket.once("close", end);
    this.#sockets.handleUpgrade(request, socket, head, (opened) => {
      opened.on("error", () => opened.terminate());
      DriverLink.open(session, opened).catch(() => opened.close(1011, "The browser has ended."));
    });
  }

  #view(session: BrowserSession, socket: WebSocket, grant: AccessGrant): void {
    this.#viewers.set(session.id, (this.#viewers.get(session.id) ?? 0) + 1);
    socket.once("close", () => {
      const left = (this.#viewers.get(session.id) ?? 1) - 1;
      if (left === 0) this.#viewers.delete(session.id);
      else this.#viewers.set(session.id, left);
    });
    socket.on("error", () => socket.terminate());
    new ViewerLink(session, socket, grant);
  }

  async #answer(request: IncomingMessage, response: ServerResponse, { parts, query }: Route): Promise<void> {
    const [kind = "", id = "", part] = parts;
    const say = (status: number, type: string, body: string | Uint8Array): void =>
      void response.writeHead(status, { ...HEADERS, "content-type": type }).end(body);
    if (request.method !== "GET") return say(405, "text/plain", "Only GET.\n");
    if (kind === "assets" && ASSETS.includes(id as never)) {
      return say(200, TYPES[id.endsWith(".css") ? "css" : "js"], readFileSync(new URL(id, files)));
    }
    if (kind === "live" && part === undefined) return say(200, TYPES.html, readFileSync(new URL("live.html", files)));
    if (kind !== "recordings") return say(404, "text/plain", "There is nothing here.\n");
    if (part === undefined) return say(200, TYPES.html, readFileSync(new URL("playback.html", files)));
    const principal = this.#recorded.get(id);
    if (principal === undefined || this.#grant(bearer(request), id, ["replay"]) === undefined) {
      return say(401, "text/plain", "This needs a token for the recording.\n");
    }
    if (part !== "log" && part !== "frames") return say(404, "text/plain", "There is nothing here.\n");
    const [offset, length] = [Number(query.get("offset") ?? 0), Number(query.get("length") ?? MAX_MESSAGE_BYTES)];
    if (![offset, length].every((number) => Number.isSafeInteger(number) && number >= 0)) {
      return say(400, "text/plain", "The range is not one.\n");
    }
    const range = part === "frames" ? { offset, length: Math.min(length, MAX_MESSAGE_BYTES) } : undefined;
    const bytes = await this.#deps.recordings?.read({ principal }, id, part, range);
    if (bytes === undefined) return say(404, "text/plain", "There is no such recording.\n");
    say(200, part === "log" ? "application/x-ndjson" : "image/jpeg", bytes);
  }

  #grant(token: string | undefined, subject: string, scopes: readonly AccessScope[]): AccessGrant | undefined {
    return token === undefined ? undefined : this.#tokens.check(token, subject, scopes);
  }

  #route({ url = "" }: IncomingMessage): Route | undefined {
    if (!URL.canParse(url, "http://server")) return undefined;
    const { pathname, searchParams } = new URL(url, "http://server");
    if (!pathname.startsWith(`${this.#base}/`)) return undefined;
    return { parts: pathname.slice(this.#base.length + 1).split("/"), query: searchParams };
  }
}

interface Route {
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
}

const bearer = ({ headers }: IncomingMessage): string | undefined =>
  /^Bearer ([\w-]+)$/i.exec(headers.authorization ?? "")?.[1];

function sameOrigin({ headers }: IncomingMessage): boolean {
  const { origin = "", host } = headers;
  return URL.canParse(origin) && new URL(origin).host === host;
}
