import type { AccessToken, AccessTokens, OpenedGrant } from "./access-tokens.ts";
import type { AgentTokens } from "./agent-tokens.ts";
import type { ConsentRequests, EndedGrant } from "./consent-requests.ts";
import { type CallContext, type Clock, type IdSource, systemClock, systemIds } from "./dialect.ts";
import { IdentityError } from "./errors.ts";
import type { IdentityStore } from "./identity-store.ts";
import { abortable } from "./internal/abortable.ts";
import { type Grant, Grants, grantId, type StoredGrant } from "./internal/grants.ts";
import { type Fetch, guardedFetch } from "./internal/guarded-fetch.ts";
import { Leases } from "./internal/lease.ts";
import { OAuthServers } from "./internal/oauth-server.ts";
import { proof } from "./internal/proof-key.ts";
import { TokenRequests } from "./internal/token-requests.ts";
import type { Keyring } from "./keyring.ts";

export interface OAuthTokensDeps {
  readonly store: IdentityStore;
  readonly keyring: Keyring;
  /** Needed by `token_exchange`: the agent's own token is the subject token. */
  readonly agentTokens?: AgentTokens;
  /** Told when a user has to agree again. */
  readonly consents?: ConsentRequests;
  readonly clock?: Clock;
  readonly ids?: IdSource;
  readonly fetch?: Fetch;
}

/** A token that ends sooner than this is replaced before it is used. */
const MARGIN_MS = 30_000;
const POLL_MS = 50;

/**
 * Access tokens for the OAuth kinds, kept sealed and renewed when they end. However many calls need a new one, in
 * however many processes, one asks: callers of a process share its promise, processes share a lease in the store.
 *
 * A refresh is written ahead, and its answer is saved before it is used. A process that dies in between leaves the
 * earlier refresh token in place, and the next call sends that again: servers that do not rotate, allow a leeway or
 * replay their answer take it. Where a server takes it no more, the new token existed in the dead process alone and
 * the user has to agree again; `ConsentRequests` is told so at once.
 */
export class OAuthTokens implements AccessTokens {
  readonly #clock: Clock;
  readonly #consents: ConsentRequests | undefined;
  readonly #grants: Grants;
  readonly #leases: Leases;
  readonly #requests: TokenRequests;
  readonly #renewing = new Map<string, Promise<AccessToken>>();

  constructor({ store, keyring, agentTokens, consents, clock = systemClock, ids = systemIds, fetch }: OAuthTokensDeps) {
    this.#clock = clock;
    this.#consents = consents;
    this.#grants = new Grants({ store, keyring });
    this.#leases = new Leases({ store, clock });
    const servers = new OAuthServers({ fetch: fetch ?? guardedFetch({ timeoutMs: 10_000 }), clock });
    this.#requests = new TokenRequests({ servers, agentTokens, clock, ids });
  }

  async accessToken(context: CallContext, opened: OpenedGrant): Promise<AccessToken> {
    const { signal, ...others } = context;
    const { tenant } = context.principal;
    const id = grantId(context, opened);
    const stored = await this.#grants.read(tenant, id);
    if (stored && this.#fresh(stored)) return this.#token(stored.grant);
    if (isConsented(opened) && !(stored && renewable(stored))) throw consent(opened.reference);
    const key = JSON.stringify([tenant, id]);
    let renewing = this.#renewing.get(key);
    if (renewing === undefined) {
      renewing = this.#renew(others, opened, id).finally(() => this.#renewing.delete(key));
      renewing.catch(() => {});
      this.#renewing.set(key, renewing);
    }
    return abortable(renewing, signal);
  }

  async #renew(context: CallContext, opened: OpenedGrant, id: string): Promise<AccessToken> {
    const { tenant } = context.principal;
    for (;;) {
      const release = await this.#leases.take(tenant, id);
      try {
        const stored = await this.#grants.read(tenant, id);
        if (stored && this.#fresh(stored)) return this.#token(stored.grant);
        const token = release && (await this.#ask(context, opened, id, stored));
        if (token !== undefined) return token;
      } finally {
        await release?.();
      }
      if (release === undefined) await this.#clock.sleep(POLL_MS);
    }
  }

  /** `undefined` when somebody else wrote the grant meanwhile, as a user's new consent does. */
  async #ask(context: CallContext, opened: OpenedGrant, id: string, stored: StoredGrant | undefined) {
    const { tenant } = context.principal;
    if (!isConsented(opened)) {
      const tokens = await this.#requests.send(context, opened, stored?.grant);
      const written = await this.#grants.write(tenant, id, tokens, stored?.recordVersion ?? 0);
      return written === undefined ? undefined : this.#token(tokens);
    }
    if (stored === undefined || !renewable(stored)) throw consent(opened.reference);
    const { refreshingSince, ...grant } = stored.grant;
    const ahead = { ...grant, refreshingSince: refreshingSince ?? this.#clock.now() };
    const version = await this.#grants.write(tenant, id, ahead, stored.recordVersion);
    if (version === undefined) return undefined;
    try {
      const tokens = await this.#requests.send(context, opened, grant);
      const written = await this.#grants.write(tenant, id, { ...kept(grant), ...tokens }, version);
      return written === undefined ? undefined : this.#token(tokens);
    } catch (error) {
      if (!IdentityError.is(error) || error.cause !== "invalid_grant") throw error;
      const ended = { reference: opened.reference, interrupted: refreshingSince !== undefined };
      await this.#end(context, ended, id, { recordVersion: version, grant });
      throw consent(opened.reference);
    }
  }

  async #end(context: CallContext, ended: EndedGrant, id: string, { recordVersion, grant }: StoredGrant) {
    try {
      await this.#consents?.request(context, ended);
    } catch {
      return;
    }
    const { interrupted } = ended;
    const noted = { ...grant, ended: { at: this.#clock.now(), interrupted } };
    await this.#grants.write(context.principal.tenant, id, noted, recordVersion);
  }

  #token({ accessToken, proofKey }: Grant): AccessToken {
    if (proofKey === undefined) return { value: accessToken };
    return { value: accessToken, prove: (request) => proof(proofKey, accessToken, request, this.#clock.now()) };
  }

  #fresh({ grant }: StoredGrant): boolean {
    return grant.ended === undefined && grant.expiresAt - MARGIN_MS > this.#clock.now();
  }
}

const isConsented = ({ secret }: OpenedGrant): boolean => secret.kind === "oauth2_authorization_code";

const renewable = ({ grant }: StoredGrant): boolean => grant.refreshToken !== undefined && grant.ended === undefined;

/** What an answer that does not repeat it leaves as it was. */
const kept = ({ refreshToken, scopes }: Grant): Partial<Grant> => ({
  ...(refreshToken === undefined ? {} : { refreshToken }),
  ...(scopes === undefined ? {} : { scopes }),
});

const consent = (reference: string): IdentityError =>
  new IdentityError("IDENTITY_CONSENT_REQUIRED", `${reference} needs the user's consent: start the flow again.`);
