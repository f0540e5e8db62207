import * as oauth from "oauth4webapi";
import { systemClock } from "./dialect.ts";
import { IdentityError } from "./errors.ts";
import { type Fetch, guardedFetch } from "./internal/guarded-fetch.ts";
import { OAuthServers } from "./internal/oauth-server.ts";

/** What a resource asked for when it refused a call: its `WWW-Authenticate: Bearer …` (RFC 6750, RFC 9728). */
export interface BearerChallenge {
  /** `invalid_token`: refresh or consent. `insufficient_scope`: consent to more, see `OAuthFlows.start`. */
  readonly error?: string;
  readonly scopes: readonly string[];
  /** Where the resource says that its metadata is. */
  readonly resourceMetadata?: string;
}

/** Who may give tokens for a resource. */
export interface ProtectedResource {
  /** To be the credential's `resource` (RFC 8707). */
  readonly resource: string;
  /** Each fits a credential's `issuer`. Choose one that you trust: the resource only names them. */
  readonly issuers: readonly string[];
  readonly scopes: readonly string[];
}

export interface ProtectedResourcesDeps {
  readonly fetch?: Fetch;
}

/** `undefined` when the header holds no Bearer challenge. */
export async function readChallenge(header: string): Promise<BearerChallenge | undefined> {
  const headers = { "www-authenticate": header };
  const challenges = await oauth
    .protectedResourceRequest("none", "GET", new URL("https://resource.invalid"), undefined, undefined, {
      [oauth.customFetch]: async () => new Response(null, { status: 401, headers }),
    })
    .then(
      () => [],
      (error: unknown) => (error instanceof oauth.WWWAuthenticateChallengeError ? error.cause : []),
    );
  const found = challenges.find(({ scheme }) => scheme === "bearer")?.parameters;
  if (found === undefined) return undefined;
  return {
    scopes: words(found.scope),
    ...(found.error === undefined ? {} : { error: found.error }),
    ...(found.resource_metadata === undefined ? {} : { resourceMetadata: found.resource_metadata }),
  };
}

/** Metadata of protected resources (RFC 9728). */
export class ProtectedResources {
  readonly #fetch: Fetch;
  readonly #servers: OAuthServers;

  constructor({ fetch = guardedFetch({ timeoutMs: 10_000, maxBytes: 262_144 }) }: ProtectedResourcesDeps = {}) {
    this.#fetch = fetch;
    this.#servers = new OAuthServers({ fetch, clock: systemClock });
  }

  /**
   * The metadata at the address of the challenge, or else at the resource's well-known one. Metadata that is about
   * another resource than this URL is refused with `IDENTITY_GRANT_REFUSED` (section 3.3).
   */
  async discover(resource: string, challenge?: BearerChallenge): Promise<ProtectedResource> {
    if (!URL.canParse(resource)) throw new IdentityError("IDENTITY_INVALID", "The resource is not an absolute URL.");
    const expected = new URL(resource);
    return this.#servers.call(expected.origin, async () => {
      const response = await this.#request(expected, challenge?.resourceMetadata);
      const found = await oauth.processResourceDiscoveryResponse(expected, response);
      return {
        resource: found.resource,
        issuers: found.authorization_servers ?? [],
        scopes: found.scopes_supported ?? [],
      };
    });
  }

  #request(expected: URL, address: string | undefined): Promise<Response> {
    if (address === undefined) {
      return oauth.resourceDiscoveryRequest(expected, this.#servers.options(expected.href));
    }
    const url = URL.canParse(address) ? new URL(address) : undefined;
    if (url?.origin !== expected.origin) {
      throw new IdentityError("IDENTITY_GRANT_REFUSED", `${expected.origin} names metadata on another origin.`);
    }
    return this.#fetch(url, { headers: { accept: "application/json" } });
  }
}

const words = (text: string | undefined): readonly string[] => text?.split(" ").filter((word) => word !== "") ?? [];
