import {
  auth,
  computeScopeUnion,
  extractWWWAuthenticateParams,
  isStrictScopeSuperset,
  type OAuthClientProvider,
} from "@modelcontextprotocol/client";
import type { CallContext } from "../dialect.ts";
import { GatewayError } from "../errors.ts";
import { type Fetch, guardedFetch } from "../internal/guarded-fetch.ts";
import type { OAuthChallenge, TargetOAuth } from "../target-oauth.ts";

export interface McpOAuthOptions {
  /** The OAuth client that acts for this principal: where its registration, its tokens and its verifier are kept. */
  readonly provider: (context: CallContext) => OAuthClientProvider;
  /**
   * What the authorization server sent back after `redirectToAuthorization`: the callback's parameters. Without it a
   * call that needs somebody's consent ends with an error.
   */
  readonly callback?: (context: CallContext) => Promise<URLSearchParams>;
  /** How discovery, registration and token requests leave. Default: public addresses only. */
  readonly fetch?: Fetch;
}

/** The client's side of MCP authorization, as the official SDK does it: discovery, registration, PKCE, step-up. */
export class McpOAuth implements TargetOAuth {
  readonly #provider: (context: CallContext) => OAuthClientProvider;
  readonly #callback: ((context: CallContext) => Promise<URLSearchParams>) | undefined;
  readonly #fetch: Fetch;
  /** Of one provider: what was asked for so far, so that a step up keeps what it had. */
  readonly #scopes = new WeakMap<OAuthClientProvider, string>();

  constructor({
    provider,
    callback,
    fetch = guardedFetch({ maxBytes: 1024 * 1024, timeoutMs: 10_000 }),
  }: McpOAuthOptions) {
    this.#provider = provider;
    this.#callback = callback;
    this.#fetch = fetch;
  }

  async token(context: CallContext): Promise<string | undefined> {
    return (await this.#provider(context).tokens())?.access_token;
  }

  async challenged(context: CallContext, { url, status, header }: OAuthChallenge): Promise<boolean> {
    const provider = this.#provider(context);
    const headers = header === undefined ? {} : { "www-authenticate": header };
    const { resourceMetadataUrl, scope: asked } = extractWWWAuthenticateParams(new Response(null, { status, headers }));
    const tokens = await provider.tokens();
    const scope = computeScopeUnion(this.#scopes.get(provider), status === 403 ? tokens?.scope : undefined, asked);
    if (scope !== undefined) this.#scopes.set(provider, scope);
    const options = {
      serverUrl: url,
      fetchFn: this.#fetch,
      ...(resourceMetadataUrl === undefined ? {} : { resourceMetadataUrl }),
      ...(scope === undefined ? {} : { scope }),
      ...(status === 403 && isStrictScopeSuperset(scope, tokens?.scope) ? { forceReauthorization: true } : {}),
    };
    try {
      // A server may have moved to another authorization server since: what was found before is not believed.
      if (status === 401) await provider.invalidateCredentials?.("discovery");
      if ((await auth(provider, options)) === "AUTHORIZED") return true;
      const answer = await this.#answered(context, url);
      const authorizationCode = answer.get("code") ?? undefined;
      if (authorizationCode === undefined) return false;
      const iss = answer.get("iss");
      const code = { ...options, authorizationCode, ...(iss === null ? {} : { iss }) };
      return (await auth(provider, code)) === "AUTHORIZED";
    } catch (error) {
      if (GatewayError.is(error)) throw error;
      throw new GatewayError("GATEWAY_TARGET_FAILED", `No token could be had for ${new URL(url).origin}.`, {
        cause: error,
      });
    }
  }

  #answered(context: CallContext, url: string): Promise<URLSearchParams> {
    if (this.#callback !== undefined) return this.#callback(context);
    throw new GatewayError("GATEWAY_TARGET_FAILED", `${new URL(url).origin} needs somebody's consent first.`);
  }
}
