import { hash } from "node:crypto";
import { createLocalJWKSet, type JSONWebKeySet, type JWTPayload, jwtVerify } from "jose";
import { z } from "zod";
import { type Clock, type Principal, systemClock } from "../dialect.ts";
import { GatewayError } from "../errors.ts";
import type { Caller, InboundAuthenticator } from "../inbound-authenticator.ts";
import { type Fetch, guardedFetch } from "../internal/guarded-fetch.ts";

export interface JwtAuthenticatorOptions {
  /** As in the tokens' `iss`, character for character. */
  readonly issuer: string;
  /** What `aud` must hold: the gateway's own name, as in its `resource` metadata; never an OAuth client's id. */
  readonly audience: string;
  /** Makes a principal of verified claims; `undefined` refuses the token. The tenant is decided here alone. */
  readonly principal: (claims: Readonly<Record<string, unknown>>) => Principal | undefined;
  /** Claims by which limits may tell callers apart. Only strings, numbers and booleans are taken. */
  readonly claims?: readonly string[];
  /** Where the keys are. Default: what the issuer's discovery document names. */
  readonly jwksUri?: string;
  /** Default ES256, EdDSA, RS256 and PS256. Symmetric ones are refused. */
  readonly algorithms?: readonly ("ES256" | "ES384" | "ES512" | "EdDSA" | "RS256" | "RS512" | "PS256" | "PS512")[];
  /** `typ` of the header; default `at+jwt`, which an ID token never has. `null` accepts issuers that set none. */
  readonly type?: string | null;
  /** How long a verified token is believed without another look. Default 60 s, never past its end; 0 is never. */
  readonly cacheMs?: number;
  readonly fetch?: Fetch;
  readonly clock?: Clock;
}

interface Known {
  readonly caller: Caller;
  readonly until: number;
}

const metadataSchema = z.object({ issuer: z.string(), jwks_uri: z.url() });
const jwksSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(100) });
const MAX_TOKENS = 10_000;
const MAX_CHARS = 16_384;
const TOLERANCE_S = 60;
/** Keys are asked for again at most this often, however many tokens name one that is not known. */
const COOLDOWN_MS = 30_000;
const KEYS_MS = 600_000;

/** Bearer tokens of any OpenID Connect or RFC 8414 issuer, verified against the keys that it publishes. */
export class JwtAuthenticator implements InboundAuthenticator {
  readonly #options: JwtAuthenticatorOptions;
  readonly #fetch: Fetch;
  readonly #clock: Clock;
  /** By digest, so that no token lies about in memory longer than its request. */
  readonly #known = new Map<string, Known>();
  #keys: { readonly set: JSONWebKeySet; readonly at: number } | undefined;
  #loading: Promise<JSONWebKeySet> | undefined;
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(options: JwtAuthenticatorOptions) {
    this.#options = options;
    this.#fetch = options.fetch ?? guardedFetch({ maxBytes: 256 * 1024, timeoutMs: 5000 });
    this.#clock = options.clock ?? systemClock;
  }

  async authenticate(request: Request): Promise<Caller | undefined> {
    const header = request.headers.get("authorization");
    if (header === null) return undefined;
    if (header.length > MAX_CHARS) throw refused();
    const digest = hash("sha256", header, "base64");
    const known = this.#known.get(digest);
    if (known !== undefined && known.until > this.#clock.now()) return known.caller;
    const token = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(header)?.[1];
    if (token === undefined) throw refused();
    const caller = this.#callerOf(await this.#verified(token, false));
    this.#keep(digest, caller);
    return caller;
  }

  #keep(digest: string, caller: Caller): void {
    const { cacheMs = 60_000 } = this.#options;
    this.#known.delete(digest);
    if (cacheMs <= 0) return;
    if (this.#known.size >= MAX_TOKENS) {
      const [oldest] = this.#known.keys();
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    const until = Math.min(this.#clock.now() + cacheMs, caller.expiresAt ?? Number.POSITIVE_INFINITY);
    this.#known.set(digest, { caller, until });
  }

  #callerOf(payload: JWTPayload): Caller {
    const principal = this.#options.principal(payload);
    if (principal === undefined || typeof principal.tenant !== "string" || principal.tenant === "") throw refused();
    const claims = Object.fromEntries(
      (this.#options.claims ?? []).flatMap((name) => {
        const value = payload[name];
        return ["string", "number", "boolean"].includes(typeof value) ? [[name, String(value)] as const] : [];
      }),
    );
    const scopes = typeof payload.scope === "string" ? payload.scope.split(" ").filter((each) => each !== "") : [];
    return { ...principal, claims, scopes, ...(payload.exp === undefined ? {} : { expiresAt: payload.exp * 1000 }) };
  }

  async #verified(token: string, again: boolean): Promise<JWTPayload> {
    const now = this.#clock.now();
    const { issuer, audience, algorithms = ["ES256", "EdDSA", "RS256", "PS256"], type = "at+jwt" } = this.#options;
    const set = await this.#set(again);
    try {
      const { payload } = await jwtVerify(token, createLocalJWKSet(set), {
        algorithms: [...algorithms],
        issuer,
        audience,
        ...(type === null ? {} : { typ: type }),
        requiredClaims: ["exp", "iat", "sub"],
        currentDate: new Date(now),
        clockTolerance: TOLERANCE_S,
      });
      if ((payload.iat ?? 0) * 1000 > now + TOLERANCE_S * 1000) throw refused();
      return payload;
    } catch (error) {
      const unknownKey = (error as { readonly code?: string }).code === "ERR_JWKS_NO_MATCHING_KEY";
      if (!again && unknownKey && now - this.#askedAt >= COOLDOWN_MS) return this.#verified(token, true);
      throw refused();
    }
  }

  async #set(fresh: boolean): Promise<JSONWebKeySet> {
    const now = this.#clock.now();
    if (this.#keys !== undefined && !fresh && now - this.#keys.at < KEYS_MS) return this.#keys.set;
    if (this.#loading === undefined && now - this.#askedAt < COOLDOWN_MS) {
      if (this.#keys !== undefined) return this.#keys.set;
      throw this.#unavailable();
    }
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #load(): Promise<JSONWebKeySet> {
    this.#askedAt = this.#clock.now();
    try {
      const uri = this.#options.jwksUri ?? (await this.#discovered());
      const set = jwksSchema.parse(await this.#json(uri)) as unknown as JSONWebKeySet;
      this.#keys = { set, at: this.#clock.now() };
      return set;
    } catch {
      if (this.#keys !== undefined) return this.#keys.set;
      throw this.#unavailable();
    }
  }

  async #discovered(): Promise<string> {
    const { issuer } = this.#options;
    const { origin, pathname } = new URL(issuer);
    const path = pathname.replace(/\/$/, "");
    for (const place of [
      `${origin}${path}/.well-known/openid-configuration`,
      `${origin}/.well-known/oauth-authorization-server${path}`,
    ]) {
      const metadata = metadataSchema.safeParse(await this.#json(place).catch(() => undefined));
      if (metadata.success && metadata.data.issuer === issuer) return metadata.data.jwks_uri;
    }
    throw this.#unavailable();
  }

  async #json(url: string): Promise<unknown> {
    const response = await this.#fetch(url, { headers: { accept: "application/json" } });
    if (response.status === 200) return response.json();
    await response.body?.cancel();
    throw this.#unavailable();
  }

  #unavailable(): GatewayError {
    return new GatewayError(
      "GATEWAY_BACKEND_FAILED",
      `The keys of ${this.#options.issuer} cannot be had just now, so its tokens cannot be checked.`,
      { retryAfterMs: COOLDOWN_MS },
    );
  }
}

const refused = (): GatewayError =>
  new GatewayError("GATEWAY_UNAUTHENTICATED", "The token is not valid here. Ask its issuer for a new one.");
