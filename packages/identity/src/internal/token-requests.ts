import { createPrivateKey } from "node:crypto";
import { SignJWT } from "jose";
import type { OpenedGrant } from "../access-tokens.ts";
import type { AgentTokens } from "../agent-tokens.ts";
import type { CredentialSecret, JwtBearerSecret, TokenExchangeSecret } from "../credential.ts";
import type { CallContext, Clock, IdSource } from "../dialect.ts";
import { IdentityError } from "../errors.ts";
import type { Grant } from "./grants.ts";
import type { OAuthServers, TokenSet } from "./oauth-server.ts";

export interface TokenRequestsDeps {
  readonly servers: OAuthServers;
  readonly agentTokens: AgentTokens | undefined;
  readonly clock: Clock;
  readonly ids: IdSource;
}

/** What each OAuth kind sends to the token endpoint. */
export class TokenRequests {
  readonly #deps: TokenRequestsDeps;

  constructor(deps: TokenRequestsDeps) {
    this.#deps = deps;
  }

  async send(context: CallContext, opened: OpenedGrant, before: Grant | undefined): Promise<TokenSet> {
    const { servers } = this.#deps;
    const secret = opened.secret as CredentialSecret;
    const key = before?.proofKey;
    switch (secret.kind) {
      case "oauth2_client_credentials":
        return servers.request(secret, "client_credentials", {}, key);
      case "oauth2_authorization_code": {
        const scope = before?.scopes?.join(" ");
        const parameters = { refresh_token: before?.refreshToken ?? "", ...(scope === undefined ? {} : { scope }) };
        return servers.request(secret, "refresh_token", parameters, key);
      }
      case "jwt_bearer": {
        const assertion = await this.#assertion(secret);
        return servers.request(secret, "urn:ietf:params:oauth:grant-type:jwt-bearer", { assertion }, key);
      }
      case "token_exchange":
        return servers.request(
          secret,
          "urn:ietf:params:oauth:grant-type:token-exchange",
          await this.#subject(context, secret),
          key,
        );
      default:
        throw new IdentityError("IDENTITY_INVALID", `${opened.reference} is not of an OAuth kind.`);
    }
  }

  async #assertion(secret: JwtBearerSecret): Promise<string> {
    const { servers, clock, ids } = this.#deps;
    const now = Math.floor(clock.now() / 1000);
    const audience = secret.assertionAudience ?? (await servers.metadata(secret)).token_endpoint ?? "";
    let key: ReturnType<typeof createPrivateKey>;
    try {
      key = createPrivateKey(secret.privateKey);
    } catch {
      throw new IdentityError("IDENTITY_INVALID", "A jwt_bearer credential's privateKey is not PKCS #8 in PEM.");
    }
    return new SignJWT({})
      .setProtectedHeader({ alg: secret.algorithm, ...(secret.keyId === undefined ? {} : { kid: secret.keyId }) })
      .setIssuer(secret.clientId)
      .setSubject(secret.subject)
      .setAudience(audience)
      .setIssuedAt(now)
      .setExpirationTime(now + 60)
      .setJti(ids.next("ast"))
      .sign(key);
  }

  async #subject(context: CallContext, secret: TokenExchangeSecret): Promise<Record<string, string>> {
    const { agentTokens } = this.#deps;
    if (agentTokens === undefined) {
      throw new IdentityError("IDENTITY_INVALID", "token_exchange needs `agentTokens` to name the agent with.");
    }
    const audience = secret.subjectAudience ?? secret.issuer ?? secret.tokenEndpoint ?? "";
    return {
      subject_token: await agentTokens.issue(context, { audience, lifetimeMs: 60_000 }),
      subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
    };
  }
}
