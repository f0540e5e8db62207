import type { CallContext } from "./dialect.ts";
import { IdentityError } from "./errors.ts";
import type { OAuthFlows } from "./oauth-flows.ts";

export interface OAuthCallbackDeps {
  readonly flows: OAuthFlows;
  /** Whose browser it is, by the app's own session. `undefined` when nobody is logged in. */
  readonly context: (request: Request) => CallContext | undefined | Promise<CallContext | undefined>;
  /** Public address of this handler, where a proxy in front changes it. Default: the request's own. */
  readonly address?: string;
  /** Where the browser goes afterwards. Default: a page that says it may be closed. */
  readonly done?: (reference: string) => string | URL;
}

/** The page under a credential's `redirectUri`. It shows nothing of what the address holds, and leaves it nowhere. */
export class OAuthCallback {
  readonly #deps: OAuthCallbackDeps;

  constructor(deps: OAuthCallbackDeps) {
    this.#deps = deps;
  }

  async handle(request: Request): Promise<Response> {
    const { flows, address, done } = this.#deps;
    if (request.method !== "GET") return page(405, "This address only takes a browser's return.");
    const context = await this.#deps.context(request);
    if (context === undefined) return page(401, "Log in first, then start again.");
    const url = new URL(address ?? request.url);
    url.search = new URL(request.url).search;
    try {
      const { reference } = await flows.finish(context, url);
      if (done === undefined) return page(200, "Done. You may close this page.");
      return new Response(null, { status: 303, headers: { ...HEADERS, location: String(done(reference)) } });
    } catch (error) {
      if (!IdentityError.is(error)) throw error;
      if (error.retryable) return page(503, "The other service does not answer. Start again in a moment.");
      return page(403, "This was refused. Start again.");
    }
  }
}

const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "content-type": "text/html; charset=utf-8",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

const page = (status: number, text: string): Response =>
  new Response(`<!doctype html><title>Authorisation</title><p>${text}</p>`, { status, headers: HEADERS });
