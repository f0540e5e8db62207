import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { type Clock, type IdSource, type Principal, systemClock, systemIds } from "./dialect.ts";
import { GatewayError } from "./errors.ts";
import type { ApiKeyRecord, GatewayStore } from "./gateway-store.ts";
import type { InboundAuthenticator } from "./inbound-authenticator.ts";

export interface NewApiKey {
  readonly id: string;
  /** Told once, here; only its hash is kept. */
  readonly key: string;
  readonly expiresAt?: number;
}

const PATTERN = /^ashlar\.([a-z0-9_]{1,64})\.([A-Za-z0-9_-]{43})$/;

/** API keys: hashed, scoped, with an end; sent as `Authorization: Bearer` or `x-api-key`. */
export class ApiKeys implements InboundAuthenticator {
  readonly #store: GatewayStore;
  readonly #clock: Clock;
  readonly #ids: IdSource;
  readonly #scope: string | undefined;

  /** `scope`: only keys that have it, or have no scopes, are let in. */
  constructor({
    store,
    scope,
    clock = systemClock,
    ids = systemIds,
  }: {
    readonly store: GatewayStore;
    readonly scope?: string;
    readonly clock?: Clock;
    readonly ids?: IdSource;
  }) {
    this.#store = store;
    this.#scope = scope;
    this.#clock = clock;
    this.#ids = ids;
  }

  async create(
    principal: Principal,
    { scopes = [], expiresAt }: { readonly scopes?: readonly string[]; readonly expiresAt?: number } = {},
  ): Promise<NewApiKey> {
    const id = this.#ids.next("key");
    const secret = randomBytes(32).toString("base64url");
    const end = expiresAt === undefined ? {} : { expiresAt };
    await this.#store.saveKey({ id, hash: hashOf(secret), principal, scopes, createdAt: this.#clock.now(), ...end });
    return { id, key: `ashlar.${id}.${secret}`, ...end };
  }

  /** A new key in the place of an old one, which goes on for `graceMs` so that its users can change over. */
  async rotate(tenant: string, id: string, { graceMs = 0 }: { readonly graceMs?: number } = {}): Promise<NewApiKey> {
    const old = await this.#store.key(id);
    if (old?.principal.tenant !== tenant) throw new GatewayError("GATEWAY_NOT_FOUND", `There is no API key ${id}.`);
    const { principal, scopes, expiresAt } = old;
    const made = await this.create(principal, { scopes, ...(expiresAt === undefined ? {} : { expiresAt }) });
    const end = Math.min(this.#clock.now() + graceMs, expiresAt ?? Number.POSITIVE_INFINITY);
    await this.#store.saveKey({ ...old, expiresAt: end });
    return made;
  }

  async revoke(tenant: string, id: string): Promise<void> {
    await this.#store.deleteKey(tenant, id);
  }

  async authenticate(request: Request): Promise<Principal | undefined> {
    const bearer = /^Bearer (.*)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    const given = request.headers.get("x-api-key") ?? bearer;
    if (given === undefined) return undefined;
    const [, id, secret] = PATTERN.exec(given) ?? [];
    const record = id === undefined ? undefined : await this.#store.key(id);
    if (record === undefined || secret === undefined || !fits(record, secret)) throw refused("is not known");
    if (record.expiresAt !== undefined && record.expiresAt <= this.#clock.now()) throw refused("has expired");
    if (this.#scope !== undefined && record.scopes.length > 0 && !record.scopes.includes(this.#scope)) {
      throw new GatewayError("GATEWAY_DENIED", `The API key lacks the scope ${this.#scope}.`);
    }
    return record.principal;
  }
}

const hashOf = (secret: string): string => createHash("sha256").update(secret).digest("hex");

const fits = ({ hash }: ApiKeyRecord, secret: string): boolean =>
  timingSafeEqual(Buffer.from(hash), Buffer.from(hashOf(secret)));

const refused = (why: string): GatewayError => new GatewayError("GATEWAY_UNAUTHENTICATED", `The API key ${why}.`);
