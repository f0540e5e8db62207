import { decodeJwt } from "jose";
import type { AgentTokens } from "./agent-tokens.ts";
import type { Principal } from "./dialect.ts";
import { IdentityError } from "./errors.ts";
import { matchSecret } from "./internal/match-secret.ts";
import { inSpan } from "./internal/spans.ts";
import type { TrustedIssuer } from "./trusted-issuer.ts";

export interface BearerAuthenticatorDeps {
  /** This installation's own tokens. */
  readonly tokens?: AgentTokens;
  /** What `aud` must hold for tokens of this installation. */
  readonly audience: string;
  /** Other issuers whose tokens count. */
  readonly issuers?: readonly TrustedIssuer[];
}

/**
 * Reads `authorization: Bearer …`. The token's `iss`, before it is believed, only chooses who verifies it: an issuer
 * that is not listed is refused without asking it anything.
 */
export class BearerAuthenticator {
  readonly #tokens: AgentTokens | undefined;
  readonly #audience: string;
  readonly #issuers: ReadonlyMap<string, TrustedIssuer>;

  constructor({ tokens, audience, issuers = [] }: BearerAuthenticatorDeps) {
    this.#tokens = tokens;
    this.#audience = audience;
    this.#issuers = new Map(issuers.map((each) => [each.issuer, each]));
  }

  /** `undefined` without credentials; throws `IDENTITY_TOKEN_INVALID` when they are wrong. */
  async authenticate(request: Request): Promise<Principal | undefined> {
    const header = request.headers.get("authorization");
    if (header === null) return undefined;
    return inSpan("identity.authenticate", async (span) => {
      const principal = await this.#verified(header);
      span.setAttribute("ashlar.tenant", principal.tenant);
      return principal;
    });
  }

  async #verified(header: string): Promise<Principal> {
    const token = matchSecret(/^Bearer ([\w.~+/=-]{1,16384})$/i, header)?.[1];
    const issuer = token === undefined ? undefined : issuerOf(token);
    if (token === undefined || issuer === undefined) throw refused();
    if (this.#tokens?.issuer === issuer) return this.#tokens.verify(token, { audience: this.#audience });
    const trusted = this.#issuers.get(issuer);
    if (trusted === undefined) throw refused();
    return trusted.verify(token);
  }
}

function issuerOf(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    return undefined;
  }
}

const refused = (): IdentityError =>
  new IdentityError("IDENTITY_TOKEN_INVALID", "The authorization header holds no token that is valid here.");
