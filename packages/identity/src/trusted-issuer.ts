import { createLocalJWKSet, type JSONWebKeySet, type JWTPayload, jwtVerify } from "jose";
import { z } from "zod";
import { type Clock, type Principal, systemClock } from "./dialect.ts";
import { IdentityError } from "./errors.ts";
import { type Fetch, guardedFetch } from "./internal/guarded-fetch.ts";
import { parse, parseJson } from "./internal/parse.ts";

export interface TrustedIssuerDeps {
  /** As in the tokens' `iss`, character for character. */
  readonly issuer: string;
  /** What `aud` must hold: the name of this API, never an OAuth client's id. */
  readonly audience: string;
  /** Makes a principal of verified claims; `undefined` refuses the token. The tenant is decided here and only here. */
  readonly principal: (claims: Readonly<Record<string, unknown>>) => Principal | undefined;
  /** Skips discovery. */
  readonly jwksUri?: string;
  /** Default: ES256, EdDSA, RS256 and PS256. Symmetric ones are refused. */
  readonly algorithms?: readonly ("ES256" | "ES384" | "ES512" | "EdDSA" | "RS256" | "RS512" | "PS256" | "PS512")[];
  /** `typ` of the header; default `at+jwt`, which an ID token never has. `null` accepts issuers that set none. */
  readonly type?: string | null;
  readonly fetch?: Fetch;
  readonly clock?: Clock;
}

const metadataSchema = z.object({ issuer: z.string(), jwks_uri: z.url() });
const jwksSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(100) });
const MAX_BYTES = 256 * 1024;
const TOLERANCE_S = 60;
/** A JWKS is asked again for an unknown key at most this often, however many tokens name one. */
const COOLDOWN_MS = 30_000;
const MAX_AGE_MS = 600_000;

/** Verifies tokens of any OpenID Connect or RFC 8414 issuer against its published keys. */
export class TrustedIssuer {
  readonly issuer: string;
  readonly #options: TrustedIssuerDeps;
  readonly #fetch: Fetch;
  readonly #clock: Clock;
  #keys: { readonly set: JSONWebKeySet; readonly at: number } | undefined;
  #loading: Promise<JSONWebKeySet> | undefined;
  #failedAt = Number.NEGATIVE_INFINITY;

  constructor(deps: TrustedIssuerDeps) {
    this.issuer = deps.issuer;
    this.#options = deps;
    this.#fetch = deps.fetch ?? guardedFetch({ maxBytes: MAX_BYTES, timeoutMs: 5000 });
    this.#clock = deps.clock ?? systemClock;
  }

  /** Throws `IDENTITY_TOKEN_INVALID`, or `IDENTITY_ISSUER_UNAVAILABLE` when its keys cannot be had. */
  async verify(token: string): Promise<Principal> {
    const claims = await this.#verify(token, false);
    const principal = this.#options.principal(claims);
    if (principal === undefined || typeof principal.tenant !== "string" || principal.tenant === "") throw invalid();
    return principal;
  }

  async #verify(token: string, again: boolean): Promise<JWTPayload> {
    const now = this.#clock.now();
    const { audience, algorithms = ["ES256", "EdDSA", "RS256", "PS256"], type = "at+jwt" } = this.#options;
    const set = await this.#set(again);
    try {
      const { payload } = await jwtVerify(token, createLocalJWKSet(set), {
        algorithms: [...algorithms],
        issuer: this.issuer,
        audience,
        ...(type === null ? {} : { typ: type }),
        requiredClaims: ["exp", "iat", "sub"],
        currentDate: new Date(now),
        clockTolerance: TOLERANCE_S,
      });
      if ((payload.iat ?? 0) * 1000 > now + TOLERANCE_S * 1000) throw invalid();
      if (payload.cnf !== undefined) throw invalid(); // bound to a key (RFC 7800): not to be taken from a mere bearer
      return payload;
    } catch (error) {
      const unknownKey = (error as { code?: string }).code === "ERR_JWKS_NO_MATCHING_KEY";
      const mayAsk = this.#keys === undefined || now - this.#keys.at >= COOLDOWN_MS;
      if (!again && unknownKey && mayAsk) return this.#verify(token, true);
      throw invalid();
    }
  }

  async #set(fresh: boolean): Promise<JSONWebKeySet> {
    const now = this.#clock.now();
    if (this.#keys && !fresh && now - this.#keys.at < MAX_AGE_MS) return this.#keys.set;
    if (now - this.#failedAt < COOLDOWN_MS) {
      if (this.#keys) return this.#keys.set;
      throw this.#unavailable();
    }
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #load(): Promise<JSONWebKeySet> {
    try {
      const uri = this.#options.jwksUri ?? (await this.#discover());
      const set = parse(jwksSchema, await this.#json(uri), "The issuer's JWKS") as unknown as JSONWebKeySet;
      this.#keys = { set, at: this.#clock.now() };
      return set;
    } catch {
      this.#failedAt = this.#clock.now();
      throw this.#unavailable();
    }
  }

  async #discover(): Promise<string> {
    const base = new URL(this.issuer);
    const path = base.pathname === "/" ? "" : base.pathname.replace(/\/$/, "");
    const places = [
      `${base.origin}${path}/.well-known/openid-configuration`,
      `${base.origin}/.well-known/oauth-authorization-server${path}`,
    ];
    for (const [index, place] of places.entries()) {
      const found = await this.#json(place).catch((error) => {
        if (index === places.length - 1) throw error;
      });
      if (found === undefined) continue;
      const metadata = parse(metadataSchema, found, "The issuer's metadata");
      if (metadata.issuer === this.issuer) return metadata.jwks_uri;
    }
    throw this.#unavailable();
  }

  async #json(url: string): Promise<unknown> {
    const response = await this.#fetch(url, { headers: { accept: "application/json" } });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw this.#unavailable();
    }
    return parseJson(await response.text(), "The issuer's answer");
  }

  #unavailable(): IdentityError {
    return new IdentityError("IDENTITY_ISSUER_UNAVAILABLE", `The keys of ${this.issuer} cannot be had just now.`, {
      retryAfterMs: COOLDOWN_MS,
    });
  }
}

const invalid = (): IdentityError =>
  new IdentityError("IDENTITY_TOKEN_INVALID", "The token is not valid here. Ask its issuer for a new one.");
