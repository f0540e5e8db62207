import { createPrivateKey } from "node:crypto";
import { SignJWT } from "jose";
import type { AccessTokens, OpenedGrant } from "./access-tokens.ts";
import type { AgentTokens } from "./agent-tokens.ts";
import type { AuthorizationCodeSecret, CredentialSecret, JwtBearerSecret, TokenExchangeSecret } from "./credential.ts";
import { type CallContext, type Clock, type IdSource, systemClock, systemIds } from "./dialect.ts";
import { IdentityError } from "./errors.ts";
import type { IdentityStore } from "./identity-store.ts";
import { Grants, grantId, type StoredGrant } from "./internal/grants.ts";
import { type Fetch, guardedFetch } from "./internal/guarded-fetch.ts";
import { OAuthServers, type TokenSet } from "./internal/oauth-server.ts";
import type { Keyring } from "./keyring.ts";

export interface OAuthTokensDeps {
  readonly store: IdentityStore;
  readonly keyring: Keyring;
  /** Needed by `token_exchange`: the agent's own token is the subject token. */
  readonly agentTokens?: AgentTokens;
  readonly clock?: Clock;
  readonly ids?: IdSource;
  readonly fetch?: Fetch;
}

/** A token that ends sooner than this is replaced before it is used. */
const MARGIN_MS = 30_000;
const LEASE_MS = 30_000;
const POLL_MS = 50;

/**
 * Access tokens for the OAuth kinds, kept sealed and renewed when they end. However many calls need a new one, in
 * however many processes, one asks: callers of a process share its promise, processes share a lease in the store.
 */
export class OAuthTokens implements AccessTokens {
  readonly #store: IdentityStore;
  readonly #agentTokens: AgentTokens | undefined;
  readonly #clock: Clock;
  readonly #ids: IdSource;
  readonly #grants: Grants;
  readonly #servers: OAuthServers;
  readonly #renewing = new Map<string, Promise<string>>();

  constructor({ store, keyring, agentTokens, clock = systemClock, ids = systemIds, fetch }: OAuthTokensDeps) {
    this.#store = store;
    this.#agentTokens = agentTokens;
    this.#clock = clock;
    this.#ids = ids;
    this.#grants = new Grants({ store, keyring });
    this.#servers = new OAuthServers({ fetch: fetch ?? guardedFetch({ timeoutMs: 10_000 }), clock });
  }

  async accessToken(context: CallContext, grant: OpenedGrant): Promise<string> {
    const { tenant } = context.principal;
    const secret = grant.secret as CredentialSecret;
    const id = grantId(`${grant.recordId}@${grant.version}`, holderOf(context, secret));
    const stored = await this.#grants.read(tenant, id);
    if (stored && this.#fresh(stored)) return stored.tokens.accessToken;
    const key = JSON.stringify([tenant, id]);
    const under = this.#renewing.get(key);
    if (under) return under;
    const renewing = this.#renew(context, grant, id).finally(() => this.#renewing.delete(key));
    this.#renewing.set(key, renewing);
    return renewing;
  }

  async #renew(context: CallContext, grant: OpenedGrant, id: string): Promise<string> {
    const { principal, signal } = context;
    for (;;) {
      const release = await this.#lease(principal.tenant, id);
      const stored = await this.#grants.read(principal.tenant, id);
      if (stored && this.#fresh(stored)) {
        await release?.();
        return stored.tokens.accessToken;
      }
      if (release === undefined) {
        await this.#clock.sleep(POLL_MS, signal === undefined ? {} : { signal });
        continue;
      }
      try {
        const tokens = await this.#ask(context, grant, stored);
        const kept = { ...keptOf(stored?.tokens), ...tokens };
        if (await this.#grants.write(principal.tenant, id, kept, stored?.recordVersion ?? 0)) return tokens.accessToken;
      } finally {
        await release();
      }
    }
  }

  async #ask(context: CallContext, grant: OpenedGrant, stored: StoredGrant | undefined): Promise<TokenSet> {
    const secret = grant.secret as CredentialSecret;
    switch (secret.kind) {
      case "oauth2_client_credentials":
        return this.#servers.request(secret, "client_credentials", {});
      case "oauth2_authorization_code":
        return this.#refresh(secret, grant.reference, stored);
      case "jwt_bearer":
        return this.#servers.request(secret, "urn:ietf:params:oauth:grant-type:jwt-bearer", {
          assertion: await this.#assertion(secret),
        });
      case "token_exchange":
        return this.#servers.request(secret, "urn:ietf:params:oauth:grant-type:token-exchange", {
          subject_token: await this.#subjectToken(context, secret),
          subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
        });
      default:
        throw new IdentityError("IDENTITY_INVALID", `${grant.reference} is not of an OAuth kind.`);
    }
  }

  async #refresh(secret: AuthorizationCodeSecret, reference: string, stored: StoredGrant | undefined) {
    const refreshToken = stored?.tokens.refreshToken;
    if (refreshToken === undefined) throw consent(reference);
    try {
      const scope = stored?.tokens.scopes?.join(" ");
      const parameters = { refresh_token: refreshToken, ...(scope === undefined ? {} : { scope }) };
      return await this.#servers.request(secret, "refresh_token", parameters);
    } catch (error) {
      const ended = IdentityError.is(error) && error.code === "IDENTITY_GRANT_REFUSED";
      throw ended && error.message.includes("invalid_grant") ? consent(reference) : error;
    }
  }

  async #assertion(secret: JwtBearerSecret): Promise<string> {
    const now = Math.floor(this.#clock.now() / 1000);
    const audience = secret.assertionAudience ?? (await this.#servers.metadata(secret)).token_endpoint ?? "";
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
      .setJti(this.#ids.next("ast"))
      .sign(key);
  }

  async #subjectToken(context: CallContext, secret: TokenExchangeSecret): Promise<string> {
    if (this.#agentTokens === undefined) {
      throw new IdentityError("IDENTITY_INVALID", "token_exchange needs `agentTokens` to name the agent with.");
    }
    const audience = secret.subjectAudience ?? secret.issuer ?? secret.tokenEndpoint ?? "";
    return this.#agentTokens.issue(context, { audience, lifetimeMs: 60_000 });
  }

  #fresh({ tokens }: StoredGrant): boolean {
    return tokens.expiresAt - MARGIN_MS > this.#clock.now();
  }

  /** `undefined` while another process holds it; a holder that died loses it when it expires. */
  async #lease(tenant: string, id: string): Promise<(() => Promise<void>) | undefined> {
    const write = { body: null, expiresAt: this.#clock.now() + LEASE_MS, expected: 0 };
    if (!(await this.#store.put(tenant, "lease", id, write))) return undefined;
    return async () => {
      await this.#store.take(tenant, "lease", id);
    };
  }
}

/** Whose token it is: one of the installation, of a user, or of the very principal that is named in it. */
export function holderOf({ principal }: CallContext, secret: CredentialSecret): Partial<CallContext["principal"]> {
  if (secret.kind === "token_exchange") return principal;
  if (secret.kind !== "oauth2_authorization_code" || secret.grants === "shared") return {};
  if (principal.user === undefined) {
    throw new IdentityError("IDENTITY_CONSENT_REQUIRED", "This credential is a user's own, and no user is named.");
  }
  return { user: principal.user };
}

/** What an answer that does not repeat it leaves as it was. */
const keptOf = (before: TokenSet | undefined): Pick<TokenSet, "refreshToken" | "scopes"> => ({
  ...(before?.refreshToken === undefined ? {} : { refreshToken: before.refreshToken }),
  ...(before?.scopes === undefined ? {} : { scopes: before.scopes }),
});

const consent = (reference: string): IdentityError =>
  new IdentityError("IDENTITY_CONSENT_REQUIRED", `${reference} needs the user's consent: start the flow again.`);
