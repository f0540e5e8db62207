import { createHash } from "node:crypto";
import * as oauth from "oauth4webapi";
import { z } from "zod";
import type { AuditLog } from "./audit-log.ts";
import type { AuthorizationCodeSecret } from "./credential.ts";
import { type CallContext, type Clock, systemClock } from "./dialect.ts";
import { IdentityError } from "./errors.ts";
import type { IdentityStore } from "./identity-store.ts";
import { CredentialRows, mayUse, type OpenedCredential, unknown } from "./internal/credential-rows.ts";
import { additionalData, envelopeKeyId, openEnvelope, sealEnvelope } from "./internal/envelope.ts";
import { Grants, grantId } from "./internal/grants.ts";
import { type Fetch, guardedFetch } from "./internal/guarded-fetch.ts";
import { OAuthServers } from "./internal/oauth-server.ts";
import { parse } from "./internal/parse.ts";
import type { Keyring } from "./keyring.ts";

export interface OAuthFlowsDeps {
  readonly store: IdentityStore;
  readonly keyring: Keyring;
  readonly audit: AuditLog;
  readonly clock?: Clock;
  readonly fetch?: Fetch;
}

const FLOW_MS = 600_000;
const flowSchema = z.object({
  reference: z.string(),
  user: z.string(),
  verifier: z.string(),
  scopes: z.array(z.string()),
});

/** The authorisation code flow with PKCE (S256), `state`, RFC 9207 `iss` and the user bound from start to end. */
export class OAuthFlows {
  readonly #store: IdentityStore;
  readonly #keyring: Keyring;
  readonly #audit: AuditLog;
  readonly #clock: Clock;
  readonly #rows: CredentialRows;
  readonly #grants: Grants;
  readonly #servers: OAuthServers;

  constructor({ store, keyring, audit, clock = systemClock, fetch }: OAuthFlowsDeps) {
    this.#store = store;
    this.#keyring = keyring;
    this.#audit = audit;
    this.#clock = clock;
    this.#rows = new CredentialRows({ store, keyring, clock });
    this.#grants = new Grants({ store, keyring });
    this.#servers = new OAuthServers({ fetch: fetch ?? guardedFetch({ timeoutMs: 10_000 }), clock });
  }

  /**
   * Where to send the user's browser. The principal must name the user; the flow ends after ten minutes. `scopes` are
   * asked for beside the credential's and those granted already (step-up, after `insufficient_scope`): until the user
   * consents, the grant that is there goes on.
   */
  async start(
    context: CallContext,
    reference: string,
    { scopes: more = [] }: { readonly scopes?: readonly string[] } = {},
  ): Promise<{ readonly url: string }> {
    const { tenant, user } = context.principal;
    if (user === undefined) throw new IdentityError("IDENTITY_INVALID", "A flow is started for a user: name one.");
    const { row, secret, grant } = await this.#open(context, reference);
    const metadata = await this.#servers.metadata(secret);
    const endpoint = metadata.authorization_endpoint;
    if (endpoint === undefined) {
      throw new IdentityError("IDENTITY_INVALID", `The server of ${row.reference} names no authorization endpoint.`);
    }
    if (metadata.code_challenge_methods_supported?.includes("S256") === false) {
      throw new IdentityError("IDENTITY_FLOW_REFUSED", `The server of ${row.reference} does not offer PKCE with S256.`);
    }
    const before = await this.#grants.read(tenant, grant);
    const scopes = [...new Set([...(secret.scopes ?? []), ...(before?.grant.scopes ?? []), ...more])];
    const state = oauth.generateRandomState();
    const verifier = oauth.generateRandomCodeVerifier();
    const id = flowId(state);
    const plain = Buffer.from(verifier);
    const sealed = sealEnvelope(await this.#keyring.ring(tenant), plain, additionalData("flow", tenant, id, user));
    const body = { reference, user, verifier: sealed.toString("base64"), scopes };
    await this.#store.put(tenant, "flow", id, { body, expiresAt: this.#clock.now() + FLOW_MS, expected: 0 });
    await this.#audit.record(context, { action: "oauth.start", decision: "allow", reference: row.reference });
    const url = new URL(endpoint);
    const parameters: Record<string, string> = {
      response_type: "code",
      client_id: secret.clientId,
      redirect_uri: secret.redirectUri,
      state,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
      ...(scopes.length === 0 ? {} : { scope: scopes.join(" ") }),
      ...(scopes.includes("offline_access") ? { prompt: "consent" } : {}),
      ...(secret.resource === undefined ? {} : { resource: secret.resource }),
    };
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    return { url: url.href };
  }

  /**
   * Takes the callback's URL once. The context is that of whoever's browser brought it: another user than the one who
   * started, a `state` that is unknown or used, or another path than the registered one is `IDENTITY_FLOW_REFUSED`.
   */
  async finish(context: CallContext, callback: URL): Promise<{ readonly reference: string }> {
    const { tenant, user } = context.principal;
    const state = callback.searchParams.get("state") ?? "";
    const id = flowId(state);
    const taken = await this.#store.take(tenant, "flow", id);
    if (taken === undefined) return this.#refuse(context, "its state is unknown, used or too old");
    const flow = parse(flowSchema, taken.body, "A stored flow");
    if (flow.user !== user) return this.#refuse(context, "another user started it");
    const { secret, row, version, grant } = await this.#open(context, flow.reference);
    if (`${callback.origin}${callback.pathname}` !== secret.redirectUri.split("?")[0]) {
      return this.#refuse(context, "it came to another address than the registered one");
    }
    const sealed = Buffer.from(flow.verifier, "base64");
    const ring = await this.#keyring.ring(tenant, envelopeKeyId(sealed));
    const verifier = openEnvelope(ring, sealed, additionalData("flow", tenant, id, user)).toString("utf8");
    const returned = callback.searchParams;
    const tokens = await this.#servers
      .exchangeCode(secret, returned, { state, verifier, redirectUri: secret.redirectUri })
      .catch((error: unknown) => {
        if (IdentityError.is(error) && error.retryable) throw error;
        return this.#refuse(context, "the server refused it");
      });
    for (;;) {
      const before = await this.#grants.read(tenant, grant);
      const granted = { ...(flow.scopes.length === 0 ? {} : { scopes: flow.scopes }), ...tokens };
      if (await this.#grants.write(tenant, grant, granted, before?.recordVersion ?? 0)) break;
    }
    await this.#audit.record(context, { action: "oauth.grant", decision: "allow", reference: row.reference, version });
    return { reference: row.reference };
  }

  /** Revokes the user's grant at the server (RFC 7009) and forgets it here. */
  async revoke(context: CallContext, reference: string): Promise<void> {
    const { secret, row, grant } = await this.#open(context, reference);
    const { tenant } = context.principal;
    const stored = await this.#grants.read(tenant, grant);
    if (stored === undefined) return;
    await this.#servers.revoke(secret, stored.grant.refreshToken ?? stored.grant.accessToken);
    await this.#grants.remove(tenant, grant);
    await this.#audit.record(context, { action: "oauth.revoke", decision: "allow", reference: row.reference });
  }

  async #open(
    context: CallContext,
    reference: string,
  ): Promise<OpenedCredential & { readonly secret: AuthorizationCodeSecret; readonly grant: string }> {
    const opened = await this.#rows.open(context, reference);
    const { row, secret } = opened;
    if (!mayUse(row, context.principal)) throw unknown({ text: row.reference });
    if (secret.kind !== "oauth2_authorization_code") {
      throw new IdentityError("IDENTITY_INVALID", `${row.reference} is of kind ${row.kind}: it has no flow.`);
    }
    const { recordId, version } = opened;
    return { ...opened, secret, grant: grantId(context, { recordId, credential: row.id, version, secret }) };
  }

  async #refuse(context: CallContext, reason: string): Promise<never> {
    await this.#audit.record(context, { action: "oauth.grant", decision: "deny", reason });
    throw new IdentityError("IDENTITY_FLOW_REFUSED", `The authorisation was refused: ${reason}. Start it again.`);
  }
}

/** The store never holds a state that a browser could bring. */
const flowId = (state: string): string => createHash("sha256").update(state).digest("hex");
