import { webcrypto } from "node:crypto";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { hostile } from "../../../test/support/hostile.ts";
import { AgentTokens } from "./agent-tokens.ts";
import { BearerAuthenticator } from "./bearer-authenticator.ts";
import { InMemoryIdentityStore } from "./in-memory/index.ts";
import { guardedFetch } from "./internal/guarded-fetch.ts";
import { Keyring } from "./keyring.ts";
import { Revocations } from "./revocations.ts";
import { SigningKeys } from "./signing-keys.ts";
import { ephemeralWrapper } from "./testing/ephemeral-wrapper.ts";
import { ManualClock } from "./testing/manual-clock.ts";
import { TrustedIssuer } from "./trusted-issuer.ts";

const context = { principal: { tenant: "acme", agent: "triage", agentVersion: "3", session: "ses_1", user: "alice" } };
const invalid = { code: "IDENTITY_TOKEN_INVALID", kind: "unauthenticated" };

function own(algorithm: "ES256" | "EdDSA" = "ES256") {
  const clock = new ManualClock();
  const store = new InMemoryIdentityStore({ clock });
  const keyring = new Keyring({ store, wrapper: ephemeralWrapper(), clock });
  const keys = new SigningKeys({ store, keyring, clock, algorithm });
  const revocations = new Revocations({ store, clock });
  return { clock, keys, tokens: new AgentTokens({ keys, revocations, issuer: "https://me", clock }) };
}

let issuer: string;
let answer: RequestListener;
let asked = 0;
const server = createServer((request, response) => {
  asked += 1;
  answer(request, response);
});
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

let pair: webcrypto.CryptoKeyPair;
beforeEach(async () => {
  asked = 0;
  pair = (await generateKeyPair("RS256", { extractable: true })) as webcrypto.CryptoKeyPair;
  const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(pair.publicKey)), kid: "k1", alg: "RS256" }] });
  answer = (request, response) => {
    const metadata = JSON.stringify({ issuer, jwks_uri: `${issuer}/jwks` });
    response.end(request.url === "/jwks" ? jwks : metadata);
  };
});

function foreign(clock = new ManualClock()) {
  const fetch = guardedFetch({ allow: ["127.0.0.1"], maxBytes: 262_144, timeoutMs: 300 });
  const principal = ({ sub }: { sub?: unknown }) => ({ tenant: "acme", user: String(sub) });
  const trusted = new TrustedIssuer({ issuer, audience: "api", principal, fetch, clock });
  const now = () => Math.floor(clock.now() / 1000);
  const sign = (claims: object = {}, header: object = {}, key: webcrypto.CryptoKey | Uint8Array = pair.privateKey) =>
    new SignJWT({ iss: issuer, aud: "api", sub: "alice", iat: now(), exp: now() + 60, ...claims })
      .setProtectedHeader({ alg: "RS256", typ: "at+jwt", kid: "k1", ...header })
      .sign(key);
  return { trusted, sign, now, clock };
}

test.each(["ES256", "EdDSA"] as const)("an agent token (%s) brings its principal back, and ends", async (algorithm) => {
  const { tokens, clock } = own(algorithm);
  const token = await tokens.issue(context, { audience: "api" });
  const authenticator = new BearerAuthenticator({ tokens, audience: "api" });
  const request = (value: string) => new Request("https://x/", { headers: { authorization: value } });
  expect(await authenticator.authenticate(request(`Bearer ${token}`))).toEqual(context.principal);
  expect(await authenticator.authenticate(new Request("https://x/"))).toBeUndefined();
  await expect(authenticator.authenticate(request("Bearer x"))).rejects.toMatchObject(invalid);
  await expect(tokens.verify(token, { audience: "other" })).rejects.toMatchObject(invalid);
  await clock.advance(306_000);
  await expect(tokens.verify(token, { audience: "api" })).rejects.toMatchObject(invalid);
});

test("keys rotate: old tokens verify during the overlap, and the JWKS forgets the key after it", async () => {
  const { tokens, keys, clock } = own();
  const before = await tokens.issue(context, { audience: "api" });
  await keys.rotate();
  expect((await keys.jwks()).keys).toHaveLength(2);
  expect(JSON.stringify(await keys.jwks())).not.toContain('"d"');
  expect(await tokens.verify(before, { audience: "api" })).toMatchObject({ tenant: "acme" });
  await clock.advance(86_400_000 + 600_000);
  expect((await keys.jwks()).keys).toHaveLength(1);
});

hostile("a revoked token is still in the verifier's cache", {
  control: "it is in the cache and verifies before",
  async unguarded() {
    const { tokens } = own();
    const token = await tokens.issue(context, { audience: "api" });
    for (let time = 0; time < 2; time++) await tokens.verify(token, { audience: "api" });
  },
  async guarded() {
    for (const scope of [{}, { agent: "triage" }, { session: "ses_1" }, { user: "alice" }]) {
      const { tokens, clock } = own();
      const token = await tokens.issue(context, { audience: "api" });
      await tokens.verify(token, { audience: "api" });
      await tokens.revoke(context, scope);
      await expect(tokens.verify(token, { audience: "api" })).rejects.toMatchObject(invalid);
      await clock.advance(1000);
      await tokens.verify(await tokens.issue(context, { audience: "api" }), { audience: "api" });
    }
  },
});

hostile("alg none, a public key as HMAC secret, an embedded jwk or jku", {
  control: "a token signed by the issuer's own key is accepted",
  async unguarded() {
    const { trusted, sign } = foreign();
    expect(await trusted.verify(await sign())).toEqual({ tenant: "acme", user: "alice" });
  },
  async guarded() {
    const { trusted, sign } = foreign();
    const [, body] = (await sign()).split(".");
    const none = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString("base64url")}.${body}.`;
    const spki = Buffer.from(await webcrypto.subtle.exportKey("spki", pair.publicKey));
    const theirs = (await generateKeyPair("RS256", { extractable: true })) as webcrypto.CryptoKeyPair;
    const jwk = await exportJWK(theirs.publicKey);
    asked = 0;
    for (const token of [
      none,
      await sign({}, { alg: "HS256" }, spki),
      await sign({}, { jwk }, theirs.privateKey),
      await sign({}, { jku: `${issuer}/theirs` }, theirs.privateKey),
    ]) {
      await expect(trusted.verify(token)).rejects.toMatchObject(invalid);
    }
    expect(asked).toBe(2);
  },
});

hostile("a wrong or absent audience, an ID token, no exp, an iat far ahead, another issuer", {
  control: "the same token with all of them right is accepted",
  async unguarded() {
    const { trusted, sign } = foreign();
    await trusted.verify(await sign());
  },
  async guarded() {
    const { trusted, sign, now } = foreign();
    for (const [claims, header] of [
      [{ aud: "another" }],
      [{ aud: undefined }],
      [{ nonce: "n" }, { typ: "JWT" }],
      [{ exp: undefined }],
      [{ iat: now() + 3600, exp: now() + 7200 }],
      [{ iss: "https://evil.example" }],
      [{ exp: now() - 120 }],
    ] as const) {
      await expect(trusted.verify(await sign(claims, header)), JSON.stringify(claims)).rejects.toMatchObject(invalid);
    }
  },
});

hostile("a flood of tokens with unknown key ids", {
  control: "a key that is new is found by asking once more after the pause",
  async unguarded() {
    const { trusted, sign, clock } = foreign();
    await trusted.verify(await sign());
    const next = (await generateKeyPair("RS256", { extractable: true })) as webcrypto.CryptoKeyPair;
    const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(next.publicKey)), kid: "k2", alg: "RS256" }] });
    const before = answer;
    answer = (request, response) => (request.url === "/jwks" ? response.end(jwks) : before(request, response));
    await clock.advance(30_000);
    await trusted.verify(await sign({}, { kid: "k2" }, next.privateKey));
  },
  async guarded() {
    asked = 0;
    const { trusted, sign } = foreign();
    const tokens = await Promise.all(Array.from({ length: 200 }, (_, at) => sign({}, { kid: `unknown-${at}` })));
    await Promise.all(tokens.map((token) => expect(trusted.verify(token)).rejects.toMatchObject(invalid)));
    expect(asked).toBe(2);
  },
});

hostile("a JWKS address that redirects, never ends, is huge, or is the metadata service", {
  control: "the plain JWKS serves",
  async unguarded() {
    const { trusted, sign } = foreign();
    await trusted.verify(await sign());
  },
  async guarded() {
    const plain = answer;
    const answers: Record<string, RequestListener> = {
      redirect: (_, response) => response.writeHead(302, { location: `${issuer}/elsewhere` }).end(),
      slow: (_, response) => response.write("{"),
      huge: (_, response) => response.end(`{"keys":[],"x":"${"x".repeat(300_000)}"}`),
    };
    for (const [name, jwks] of Object.entries(answers)) {
      answer = (request, response) => (request.url === "/jwks" ? jwks(request, response) : plain(request, response));
      const { trusted, sign } = foreign();
      await expect(trusted.verify(await sign()), name).rejects.toMatchObject({ code: "IDENTITY_ISSUER_UNAVAILABLE" });
    }
    answer = (_, response) => {
      response.end(JSON.stringify({ issuer, jwks_uri: "http://169.254.169.254/latest/meta-data" }));
    };
    const { trusted, sign } = foreign();
    await expect(trusted.verify(await sign())).rejects.toMatchObject({ code: "IDENTITY_ISSUER_UNAVAILABLE" });
  },
});
