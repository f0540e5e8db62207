import { createHash, randomUUID, type webcrypto } from "node:crypto";
import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from "jose";
import * as oauth from "oauth4webapi";
import type { ProvenRequest } from "../access-tokens.ts";

/** The private half of a key that tokens are bound to; it is kept sealed with them. */
export type ProofKey = JWK;

export async function newProofKey(): Promise<ProofKey> {
  return exportJWK((await generateKeyPair("ES256", { extractable: true })).privateKey);
}

/** Proves to a token endpoint, and remembers the nonce that it asks for. */
export async function proofHandle(key: ProofKey): Promise<oauth.DPoPHandle> {
  const [privateKey, publicKey] = await Promise.all([key, publicHalf(key)].map((each) => importJWK(each, "ES256")));
  return oauth.DPoP({}, { privateKey, publicKey } as webcrypto.CryptoKeyPair);
}

/** A proof for one request to a resource with one token. */
export async function proof(
  key: ProofKey,
  token: string,
  { method, url, nonce }: ProvenRequest,
  now: number,
): Promise<string> {
  const claims = {
    htm: method.toUpperCase(),
    htu: `${url.origin}${url.pathname}`,
    ath: createHash("sha256").update(token).digest("base64url"),
    ...(nonce === undefined ? {} : { nonce }),
  };
  return new SignJWT(claims)
    .setProtectedHeader({ alg: "ES256", typ: "dpop+jwt", jwk: publicHalf(key) })
    .setIssuedAt(Math.floor(now / 1000))
    .setJti(randomUUID())
    .sign(await importJWK(key, "ES256"));
}

function publicHalf({ kty, crv, x, y }: ProofKey): JWK {
  return { kty, crv, x, y } as JWK;
}
