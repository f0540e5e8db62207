import { createLocalJWKSet, decodeProtectedHeader, type JWTPayload, jwtVerify, SignJWT } from "jose";
import { type CallContext, type Clock, type IdSource, type Principal, systemClock, systemIds } from "./dialect.ts";
import { IdentityError } from "./errors.ts";
import { BoundedMap } from "./internal/cache.ts";
import { requireTenant } from "./internal/parse.ts";
import type { RevocationScope, Revocations } from "./revocations.ts";
import type { SigningKeys } from "./signing-keys.ts";

export interface AgentTokensDeps {
  readonly keys: SigningKeys;
  readonly revocations: Revocations;
  /** The `iss` of every token: the address under which this installation serves its JWKS. */
  readonly issuer: string;
  readonly clock?: Clock;
  readonly ids?: IdSource;
}

export interface TokenRequest {
  readonly audience: string;
  /** At most one hour; default five minutes. */
  readonly lifetimeMs?: number;
  readonly scopes?: readonly string[];
}

const LONGEST_MS = 3_600_000;
const CACHE_MS = 60_000;
const TOLERANCE_S = 5;

/**
 * Short-lived access tokens (RFC 9068, `at+jwt`) that name the tenant, agent and session. On behalf of a user the
 * subject is the user and `act.sub` the agent (RFC 8693).
 */
export class AgentTokens {
  readonly #keys: SigningKeys;
  readonly #revocations: Revocations;
  readonly #issuer: string;
  readonly #clock: Clock;
  readonly #ids: IdSource;
  readonly #verified = new BoundedMap<string, { readonly payload: JWTPayload; readonly until: number }>(10_000);

  constructor({ keys, revocations, issuer, clock = systemClock, ids = systemIds }: AgentTokensDeps) {
    this.#keys = keys;
    this.#revocations = revocations;
    this.#issuer = issuer;
    this.#clock = clock;
    this.#ids = ids;
  }

  get issuer(): string {
    return this.#issuer;
  }

  /** A token for the context's principal, which must name an agent. */
  async issue({ principal }: CallContext, request: TokenRequest): Promise<string> {
    const { audience, lifetimeMs = 300_000, scopes } = request;
    const tenant = requireTenant(principal.tenant);
    const { agent, agentVersion, session, user } = principal;
    if (agent === undefined || audience === "" || !(lifetimeMs > 0 && lifetimeMs <= LONGEST_MS)) {
      throw new IdentityError("IDENTITY_INVALID", "A token needs an agent, an audience and at most one hour of life.");
    }
    const { kid, algorithm, privateKey } = await this.#keys.signer();
    const now = this.#clock.now();
    const claims = {
      sub: user ?? agent,
      ...(user === undefined ? {} : { act: { sub: agent } }),
      client_id: agent,
      tenant,
      ...(agentVersion === undefined ? {} : { agent_version: agentVersion }),
      ...(session === undefined ? {} : { session }),
      ...(scopes === undefined ? {} : { scope: scopes.join(" ") }),
      /** In milliseconds, so that a revocation in the same second is exact. */
      issued_at_ms: now,
    };
    return new SignJWT(claims)
      .setProtectedHeader({ alg: algorithm, typ: "at+jwt", kid })
      .setIssuer(this.#issuer)
      .setAudience(audience)
      .setIssuedAt(Math.floor(now / 1000))
      .setExpirationTime(Math.floor((now + lifetimeMs) / 1000))
      .setJti(this.#ids.next("tok"))
      .sign(privateKey);
  }

  /** The principal of a token of this installation. Throws `IDENTITY_TOKEN_INVALID`, and never says which part. */
  async verify(token: string, { audience }: { readonly audience: string }): Promise<Principal> {
    const payload = await this.#payload(token, audience);
    const principal = principalOf(payload);
    const issuedAt = Number(payload.issued_at_ms ?? (payload.iat ?? 0) * 1000);
    if (await this.#revocations.revoked(principal.tenant, issuedAt, principal)) throw invalid();
    return principal;
  }

  /** Ends all tokens of the scope that were issued until now. */
  async revoke(context: CallContext, scope: RevocationScope): Promise<void> {
    await this.#revocations.revoke(context, scope);
  }

  async #payload(token: string, audience: string): Promise<JWTPayload> {
    const now = this.#clock.now();
    const key = `${audience}\n${token}`;
    const known = this.#verified.get(key);
    if (known && known.until > now) return known.payload;
    try {
      const { keys } = await this.#keys.jwksWith(decodeProtectedHeader(token).kid);
      const { payload } = await jwtVerify(token, createLocalJWKSet({ keys: [...keys] }), {
        algorithms: ["ES256", "EdDSA"],
        typ: "at+jwt",
        issuer: this.#issuer,
        audience,
        requiredClaims: ["exp", "iat", "sub", "client_id", "tenant"],
        currentDate: new Date(now),
        clockTolerance: TOLERANCE_S,
      });
      if ((payload.iat ?? 0) * 1000 > now + TOLERANCE_S * 1000) throw invalid();
      this.#verified.set(key, { payload, until: Math.min((payload.exp ?? 0) * 1000, now + CACHE_MS) });
      return payload;
    } catch (error) {
      if (IdentityError.is(error) && error.kind === "unavailable") throw error;
      throw invalid();
    }
  }
}

function principalOf({ sub, client_id, tenant, agent_version, session, act }: JWTPayload): Principal {
  if (typeof tenant !== "string" || tenant === "" || typeof client_id !== "string") throw invalid();
  return {
    tenant,
    agent: client_id,
    ...(typeof agent_version === "string" ? { agentVersion: agent_version } : {}),
    ...(typeof session === "string" ? { session } : {}),
    ...(act !== undefined && sub !== undefined ? { user: sub } : {}),
  };
}

const invalid = (): IdentityError =>
  new IdentityError("IDENTITY_TOKEN_INVALID", "The token is not valid here. Ask its issuer for a new one.");
