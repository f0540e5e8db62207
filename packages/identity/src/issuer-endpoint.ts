import type { SigningKeys } from "./signing-keys.ts";

export interface IssuerEndpointDeps {
  readonly keys: SigningKeys;
  /** As in `AgentTokens`; the endpoint has to be reachable under it. */
  readonly issuer: string;
}

/** Kept by verifiers for this long: less than the lead of a new signing key. */
const MAX_AGE_S = 300;

/** Publishes what others need to verify this installation's tokens: its metadata (RFC 8414) and its JWKS. */
export class IssuerEndpoint {
  readonly #keys: SigningKeys;
  readonly #issuer: string;

  constructor({ keys, issuer }: IssuerEndpointDeps) {
    this.#keys = keys;
    this.#issuer = issuer;
  }

  /** `undefined` for a request that is not for it. */
  async handle(request: Request): Promise<Response | undefined> {
    if (request.method !== "GET") return undefined;
    const { origin, pathname } = new URL(this.#issuer);
    const base = pathname.replace(/\/$/, "");
    const jwks = `${base}/.well-known/jwks.json`;
    switch (new URL(request.url).pathname) {
      case jwks:
        return answer(await this.#keys.jwks());
      case `${base}/.well-known/openid-configuration`:
      case `/.well-known/oauth-authorization-server${base}`:
        return answer({ issuer: this.#issuer, jwks_uri: `${origin}${jwks}`, response_types_supported: [] });
      default:
        return undefined;
    }
  }
}

const answer = (body: object): Response =>
  Response.json(body, { headers: { "cache-control": `public, max-age=${MAX_AGE_S}` } });
