import * as oauth from "oauth4webapi";
import type { OAuthServer } from "../credential.ts";
import type { Clock } from "../dialect.ts";
import { IdentityError } from "../errors.ts";
import { BoundedMap } from "./cache.ts";
import { type Fetch, GuardedFetchError } from "./guarded-fetch.ts";
import { isLoopback } from "./hosts.ts";
import { newProofKey, type ProofKey, proofHandle } from "./proof-key.ts";

export interface TokenSet {
  readonly accessToken: string;
  readonly refreshToken?: string;
  readonly expiresAt: number;
  /** As the server granted them, or as they were asked for when it does not say. */
  readonly scopes?: readonly string[];
  /** The key that the tokens are bound to. */
  readonly proofKey?: ProofKey;
}

/** Lifetime of a token whose issuer does not say. */
const ASSUMED_MS = 300_000;
const METADATA_MS = 600_000;

/** Authorisation servers: their metadata, and requests to them whose errors carry no secret. */
export class OAuthServers {
  readonly #fetch: Fetch;
  readonly #clock: Clock;
  readonly #metadata = new BoundedMap<string, { readonly found: oauth.AuthorizationServer; readonly until: number }>(
    500,
  );

  constructor({ fetch, clock }: { readonly fetch: Fetch; readonly clock: Clock }) {
    this.#fetch = fetch;
    this.#clock = clock;
  }

  async metadata(
    server: OAuthServer & { readonly authorizationEndpoint?: string },
  ): Promise<oauth.AuthorizationServer> {
    if (server.tokenEndpoint !== undefined) {
      return {
        issuer: server.issuer ?? new URL(server.tokenEndpoint).origin,
        token_endpoint: server.tokenEndpoint,
        ...(server.authorizationEndpoint === undefined ? {} : { authorization_endpoint: server.authorizationEndpoint }),
      };
    }
    const issuer = server.issuer ?? "";
    const known = this.#metadata.get(issuer);
    if (known && known.until > this.#clock.now()) return known.found;
    const url = new URL(issuer);
    const found = await this.#discover(url, "oidc").catch(() => this.#discover(url, "oauth2"));
    this.#metadata.set(issuer, { found, until: this.#clock.now() + METADATA_MS });
    return found;
  }

  /** A grant at the token endpoint. A refusal is `IDENTITY_GRANT_REFUSED` and names the server's error code alone. */
  async request(
    server: OAuthServer,
    grantType: string,
    parameters: Record<string, string>,
    key?: ProofKey,
  ): Promise<TokenSet> {
    const metadata = await this.metadata(server);
    const [client, authentication] = clientOf(server);
    return this.#grant(metadata, server, key, async (options) => {
      const all = { ...common(server), ...parameters };
      return oauth.processGenericTokenEndpointResponse(
        metadata,
        client,
        await oauth.genericTokenEndpointRequest(metadata, client, authentication, grantType, all, options),
      );
    });
  }

  async exchangeCode(
    server: OAuthServer,
    callback: URLSearchParams,
    flow: { readonly state: string; readonly verifier: string; readonly redirectUri: string },
  ): Promise<TokenSet> {
    const metadata = await this.metadata(server);
    const [client, authentication] = clientOf(server);
    return this.#grant(metadata, server, undefined, async (options) => {
      const valid = oauth.validateAuthResponse(metadata, client, callback, flow.state);
      const response = await oauth.authorizationCodeGrantRequest(
        metadata,
        client,
        authentication,
        valid,
        flow.redirectUri,
        flow.verifier,
        { ...options, additionalParameters: resource(server) },
      );
      return oauth.processAuthorizationCodeResponse(metadata, client, response);
    });
  }

  /** One try, or two where the server answers the first with the nonce that it wants in the proof. */
  async #grant(
    { issuer, token_endpoint }: oauth.AuthorizationServer,
    { dpop = false }: OAuthServer,
    known: ProofKey | undefined,
    ask: (
      options: ReturnType<OAuthServers["options"]> & oauth.DPoPRequestOptions,
    ) => Promise<oauth.TokenEndpointResponse>,
  ): Promise<TokenSet> {
    const proofKey = dpop ? (known ?? (await newProofKey())) : undefined;
    const options = this.options(token_endpoint);
    const proving = proofKey === undefined ? options : { ...options, DPoP: await proofHandle(proofKey) };
    return this.call(issuer, async () => {
      const answer = await ask(proving).catch((error: unknown) => {
        if (proofKey !== undefined && oauth.isDPoPNonceError(error)) return ask(proving);
        throw error;
      });
      if ((answer.token_type === "dpop") !== dpop) {
        throw new IdentityError("IDENTITY_GRANT_REFUSED", `${issuer} gave a token of type ${answer.token_type}.`);
      }
      return { ...this.#tokens(answer), ...(proofKey && { proofKey }) };
    });
  }

  async revoke(server: OAuthServer, token: string): Promise<void> {
    const metadata = await this.metadata(server);
    if (metadata.revocation_endpoint === undefined) return;
    const [client, authentication] = clientOf(server);
    await this.call(metadata.issuer, async () => {
      const options = this.options(metadata.revocation_endpoint);
      await oauth.processRevocationResponse(
        await oauth.revocationRequest(metadata, client, authentication, token, options),
      );
    });
  }

  options(url: string | undefined): {
    [oauth.customFetch]: (url: string, options: object) => Promise<Response>;
    [oauth.allowInsecureRequests]: boolean;
  } {
    return {
      [oauth.customFetch]: (target, options) => this.#fetch(target, options as RequestInit),
      [oauth.allowInsecureRequests]: url !== undefined && isLoopback(new URL(url).hostname),
    };
  }

  async #discover(url: URL, algorithm: "oidc" | "oauth2"): Promise<oauth.AuthorizationServer> {
    return this.call(url.href, async () => {
      const response = await oauth.discoveryRequest(url, { algorithm, ...this.options(url.href) });
      return oauth.processDiscoveryResponse(url, response);
    });
  }

  #tokens({ access_token, refresh_token, expires_in, scope }: oauth.TokenEndpointResponse): TokenSet {
    return {
      accessToken: access_token,
      ...(refresh_token === undefined ? {} : { refreshToken: refresh_token }),
      ...(scope === undefined ? {} : { scopes: scope.split(" ") }),
      expiresAt: this.#clock.now() + (expires_in === undefined ? ASSUMED_MS : expires_in * 1000),
    };
  }

  /** Runs a request; what it throws names the server and its error code, which is the `cause`, and nothing else. */
  async call<T>(issuer: string, body: () => Promise<T>): Promise<T> {
    try {
      return await body();
    } catch (error) {
      if (IdentityError.is(error)) throw error;
      const code = (error as { error?: unknown }).error;
      const status = (error as { status?: unknown }).status;
      if (typeof code === "string" && !(typeof status === "number" && status >= 500)) {
        const shown = /^[\w.-]{1,64}$/.test(code) ? code : "an unreadable error";
        throw new IdentityError("IDENTITY_GRANT_REFUSED", `${issuer} refused the grant: ${shown}.`, { cause: shown });
      }
      const known = error instanceof GuardedFetchError ? error.code : (error as { code?: unknown }).code;
      const refused = /^(FETCH_ADDRESS_DENIED|OAUTH_INVALID_RESPONSE|OAUTH_JSON_ATTRIBUTE_COMPARISON)/.test(`${known}`);
      throw new IdentityError(
        refused ? "IDENTITY_GRANT_REFUSED" : "IDENTITY_ISSUER_UNAVAILABLE",
        `${issuer} gave no usable answer (${String(known ?? "no answer")}).`,
      );
    }
  }
}

function clientOf({ clientId, clientSecret }: OAuthServer): [oauth.Client, oauth.ClientAuth] {
  const authentication = clientSecret === undefined ? oauth.None() : oauth.ClientSecretBasic(clientSecret);
  return [{ client_id: clientId }, authentication];
}

const resource = (server: OAuthServer): Record<string, string> =>
  server.resource === undefined ? {} : { resource: server.resource };

const common = (server: OAuthServer): Record<string, string> => ({
  ...resource(server),
  ...(server.audience === undefined ? {} : { audience: server.audience }),
  ...(server.scopes === undefined ? {} : { scope: server.scopes.join(" ") }),
});
