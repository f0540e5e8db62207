import type { webcrypto } from "node:crypto";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from "jose";
import { z } from "zod";
import { type Clock, type Json, systemClock } from "./dialect.ts";
import { IdentityError } from "./errors.ts";
import type { IdentityStore } from "./identity-store.ts";
import { additionalData, envelopeKeyId, openEnvelope, sealEnvelope } from "./internal/envelope.ts";
import { parse, parseJson } from "./internal/parse.ts";
import type { Keyring } from "./keyring.ts";

export interface SigningKeysDeps {
  readonly store: IdentityStore;
  readonly keyring: Keyring;
  readonly clock?: Clock;
  /** Default ES256. */
  readonly algorithm?: "ES256" | "EdDSA";
  /** Age at which the next use makes a new key. Default 30 days. */
  readonly rotateAfterMs?: number;
  /** How long a new key is in the JWKS before it signs, so that whoever keeps a copy has it. Default ten minutes. */
  readonly leadMs?: number;
  /** How long a key stays in the JWKS after it signed last: longer than any token lives. Default one day. */
  readonly overlapMs?: number;
}

const schema = z.object({
  keys: z.array(
    z.object({
      kid: z.string(),
      algorithm: z.enum(["ES256", "EdDSA"]),
      publicKey: z.record(z.string(), z.string()),
      sealed: z.string(),
      createdAt: z.number(),
      retiresAt: z.number().optional(),
    }),
  ),
});
type Body = z.infer<typeof schema>;

/** A key to sign with; the private half is a `CryptoKey` that cannot be exported. */
export interface SigningKey {
  readonly kid: string;
  readonly algorithm: "ES256" | "EdDSA";
  readonly privateKey: webcrypto.CryptoKey;
}

const RELOAD_MS = 60_000;
/** For a key that is not known here, the store is asked again at most this often. */
const MISS_MS = 1000;

/** The installation's token-signing keys: private halves sealed in the store, public halves as a JWKS. */
export class SigningKeys {
  readonly #store: IdentityStore;
  readonly #keyring: Keyring;
  readonly #clock: Clock;
  readonly #algorithm: "ES256" | "EdDSA";
  readonly #rotateAfterMs: number;
  readonly #leadMs: number;
  readonly #overlapMs: number;
  #cached: { readonly body: Body; readonly at: number } | undefined;
  #key: SigningKey | undefined;

  constructor({ store, keyring, clock = systemClock, ...options }: SigningKeysDeps) {
    this.#store = store;
    this.#keyring = keyring;
    this.#clock = clock;
    this.#algorithm = options.algorithm ?? "ES256";
    this.#rotateAfterMs = options.rotateAfterMs ?? 30 * 86_400_000;
    this.#leadMs = options.leadMs ?? 600_000;
    this.#overlapMs = options.overlapMs ?? 86_400_000;
  }

  /** The public keys, newest first, to be served at the issuer's `jwks_uri` (RFC 7517). */
  async jwks(): Promise<{ readonly keys: readonly JWK[] }> {
    return this.#public(await this.#current());
  }

  /**
   * Makes a new key, which signs after `leadMs`; tokens of the old one verify on. A `compromised` old one is gone at
   * once: nothing it signed verifies, here from now on and in other processes within a minute.
   */
  async rotate({ compromised = false }: { readonly compromised?: boolean } = {}): Promise<void> {
    for (;;) {
      const found = await this.#store.get("", "signing", "keys");
      const body = found ? parse(schema, found.body, "The stored signing keys") : { keys: [] };
      if (await this.#add(found?.version ?? 0, compromised ? { keys: [] } : body)) return;
    }
  }

  /** @internal The public keys, loaded anew when `kid` is not among them. */
  async jwksWith(kid: string | undefined): Promise<{ readonly keys: readonly JWK[] }> {
    const body = await this.#current();
    if (body.keys.some((key) => key.kid === kid) || this.#clock.now() - (this.#cached?.at ?? 0) < MISS_MS) {
      return this.#public(body);
    }
    this.#cached = undefined;
    return this.#public(await this.#current());
  }

  /** @internal */
  async signer(): Promise<SigningKey> {
    const { keys } = await this.#current();
    const signing = keys.find(({ createdAt }) => createdAt + this.#leadMs <= this.#clock.now()) ?? keys.at(-1);
    if (signing === undefined) throw new IdentityError("IDENTITY_BACKEND_FAILED", "There is no signing key.");
    if (this.#key?.kid !== signing.kid) {
      const sealed = Buffer.from(signing.sealed, "base64");
      const ring = await this.#keyring.ring("", envelopeKeyId(sealed));
      const jwk = parseJson(openEnvelope(ring, sealed, additional(signing)).toString("utf8"), "A signing key") as JWK;
      const privateKey = (await importJWK({ ...jwk, ext: false }, signing.algorithm)) as webcrypto.CryptoKey;
      this.#key = { kid: signing.kid, algorithm: signing.algorithm, privateKey };
    }
    return this.#key;
  }

  #public({ keys }: Body): { readonly keys: readonly JWK[] } {
    const live = keys.filter(({ retiresAt }) => retiresAt === undefined || retiresAt > this.#clock.now());
    return { keys: live.map(({ kid, algorithm, publicKey }) => ({ ...publicKey, kid, alg: algorithm, use: "sig" })) };
  }

  async #current(): Promise<Body> {
    for (;;) {
      const now = this.#clock.now();
      const known = this.#cached;
      if (known && known.at + RELOAD_MS > now && !this.#isOld(known.body)) return known.body;
      const found = await this.#store.get("", "signing", "keys");
      const body = found ? parse(schema, found.body, "The stored signing keys") : { keys: [] };
      if (!this.#isOld(body)) this.#cached = { body, at: now };
      else await this.#add(found?.version ?? 0, body);
    }
  }

  #isOld({ keys: [newest] }: Body): boolean {
    return newest === undefined || newest.createdAt + this.#rotateAfterMs <= this.#clock.now();
  }

  /** False when another process wrote first. */
  async #add(version: number, { keys }: Body): Promise<boolean> {
    const now = this.#clock.now();
    const pair = await generateKeyPair(this.#algorithm, { extractable: true });
    const publicKey = (await exportJWK(pair.publicKey)) as Record<string, string>;
    const head = { kid: await calculateJwkThumbprint(publicKey), algorithm: this.#algorithm, publicKey };
    const plain = Buffer.from(JSON.stringify(await exportJWK(pair.privateKey)));
    const sealed = sealEnvelope(await this.#keyring.installation(), plain, additional(head)).toString("base64");
    plain.fill(0);
    const older = keys
      .map((key) => ({ ...key, retiresAt: key.retiresAt ?? now + this.#leadMs + this.#overlapMs }))
      .filter(({ retiresAt }) => retiresAt > now);
    const body: Body = { keys: [{ ...head, sealed, createdAt: now }, ...older] };
    const write = { body: JSON.parse(JSON.stringify(body)) as Json, expected: version };
    if (!(await this.#store.put("", "signing", "keys", write))) return false;
    this.#cached = { body, at: now };
    return true;
  }
}

const additional = ({ kid, algorithm }: Pick<Body["keys"][number], "kid" | "algorithm">): Buffer =>
  additionalData("signing key", kid, algorithm);
