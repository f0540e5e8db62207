import { webcrypto } from "node:crypto";
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  EmbeddedJWK,
  exportJWK,
  type JSONWebKeySet,
  jwtVerify,
  UnsecuredJWT,
} from "jose";
import { afterAll, beforeAll, expect } from "vitest";
import { hostile } from "../../../test/support/hostile.ts";
import { AgentTokens } from "./agent-tokens.ts";
import { CLIENT, REDIRECT } from "./fixtures/client.ts";
import { published, rsaPair, startForeignIssuer } from "./fixtures/foreign-issuer.ts";
import { startIdentityProvider } from "./fixtures/identity-provider.ts";
import { consent } from "./fixtures/windowless-browser.ts";
import { InMemoryIdentityStore } from "./in-memory/index.ts";
import { guardedFetch } from "./internal/guarded-fetch.ts";
import { Keyring } from "./keyring.ts";
import { Revocations } from "./revocations.ts";
import { SigningKeys } from "./signing-keys.ts";
import { ephemeralWrapper } from "./testing/ephemeral-wrapper.ts";
import { ManualClock } from "./testing/manual-clock.ts";
import { TrustedIssuer } from "./trusted-issuer.ts";

const invalid = { code: "IDENTITY_TOKEN_INVALID", kind: "unauthenticated" };
let foreign: Awaited<ReturnType<typeof startForeignIssuer>>;
beforeAll(async () => {
  foreign = await startForeignIssuer();
});
afterAll(() => foreign.close());

const isAlice = ({ payload }: { readonly payload: { readonly sub?: string } }) => expect(payload.sub).toBe("alice");

/** A verifier that checks the signature and nothing else, at the signer's time. */
async function signatureAlone(token: string, currentDate: Date): Promise<void> {
  isAlice(await jwtVerify(token, foreign.pair.publicKey, { currentDate }));
}

async function refuses(token: string): Promise<void> {
  const { trusted, sign } = foreign.trusting();
  expect(await trusted.verify(await sign())).toEqual({ tenant: "acme", user: "alice" });
  foreign.asked.length = 0;
  await expect(trusted.verify(token)).rejects.toMatchObject(invalid);
  expect(foreign.asked).toEqual([]);
}

hostile("a token with alg none", {
  control: "a decoder of unsecured tokens takes it",
  async unguarded() {
    const { sign, clock } = foreign.trusting();
    isAlice(UnsecuredJWT.decode(unsecured(await sign()), { currentDate: new Date(clock.now()) }));
  },
  guarded: async () => refuses(unsecured(await foreign.trusting().sign())),
});

const unsecured = (token: string): string =>
  `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString("base64url")}.${token.split(".")[1]}.`;

hostile("a token whose HMAC secret is the issuer's public key", {
  control: "a verifier that goes by the header's alg uses the public key as the secret",
  async unguarded() {
    const { sign, clock } = foreign.trusting();
    const secret = await publicKeyBytes();
    const token = await sign({}, { alg: "HS256" }, secret);
    isAlice(await jwtVerify(token, secret, { currentDate: new Date(clock.now()) }));
  },
  guarded: async () => refuses(await foreign.trusting().sign({}, { alg: "HS256" }, await publicKeyBytes())),
});

const publicKeyBytes = async () => Buffer.from(await webcrypto.subtle.exportKey("spki", foreign.pair.publicKey));

hostile("a token that brings its own key as jwk", {
  control: "a verifier that uses the embedded key takes it",
  async unguarded() {
    const { clock } = foreign.trusting();
    isAlice(await jwtVerify(await selfKeyed(), EmbeddedJWK, { currentDate: new Date(clock.now()) }));
  },
  guarded: async () => refuses(await selfKeyed()),
});

async function selfKeyed(): Promise<string> {
  const theirs = await rsaPair();
  return foreign.trusting().sign({}, { jwk: await exportJWK(theirs.publicKey) }, theirs.privateKey);
}

hostile("a token that says where its key is, as jku", {
  control: "a verifier that fetches the address finds the attacker's key",
  async unguarded() {
    const { token, elsewhere, clock, close } = await pointedElsewhere();
    const keys = (await (await fetch(elsewhere)).json()) as JSONWebKeySet;
    isAlice(await jwtVerify(token, createLocalJWKSet(keys), { currentDate: new Date(clock.now()) }));
    await close();
  },
  async guarded() {
    const { token, asked, close } = await pointedElsewhere();
    await refuses(token);
    expect(asked).toEqual([]);
    await close();
  },
});

async function pointedElsewhere() {
  const attacker = await startForeignIssuer();
  const elsewhere = `${attacker.issuer}/jwks`;
  const { sign, clock } = foreign.trusting();
  const token = await sign({}, { jku: elsewhere }, attacker.pair.privateKey);
  return { token, elsewhere, clock, asked: attacker.asked, close: attacker.close };
}

const now = (): number => Math.floor(new ManualClock().now() / 1000);
for (const [name, claims] of [
  ["for another audience", { aud: "another" }],
  ["without an audience", { aud: undefined }],
  ["without an end", { exp: undefined }],
  ["issued an hour ahead of time", { iat: now() + 3600, exp: now() + 7200 }],
  ["of another issuer, signed by the same key", { iss: "https://evil.example" }],
  ["bound to a key, brought by a mere bearer", { cnf: { jkt: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } }],
] as const) {
  hostile(`a token ${name}`, {
    control: "a verifier of the signature alone takes it",
    async unguarded() {
      const { sign, clock } = foreign.trusting();
      await signatureAlone(await sign(claims), new Date(clock.now()));
    },
    guarded: async () => refuses(await foreign.trusting().sign(claims)),
  });
}

hostile("an ID token used as an access token", {
  control: "a verifier of signature, issuer and audience takes it, where the API goes by the client's name",
  async unguarded() {
    const { idToken, issuer, close } = await loggedIn();
    const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
    isAlice(await jwtVerify(idToken, keys, { issuer, audience: CLIENT.clientId }));
    await close();
  },
  async guarded() {
    const { idToken, issuer, close } = await loggedIn();
    const fetch = guardedFetch({ allow: ["127.0.0.1"] });
    const principal = ({ sub }: { sub?: unknown }) => ({ tenant: "acme", user: String(sub) });
    const trusted = new TrustedIssuer({ issuer, audience: CLIENT.clientId, principal, fetch });
    await expect(trusted.verify(idToken)).rejects.toMatchObject(invalid);
    await close();
  },
});

/** A real login at the identity provider, and the ID token that came of it. */
async function loggedIn() {
  const { issuer, close } = await startIdentityProvider({ pkce: false });
  const start = new URL(`${issuer}/auth?response_type=code&scope=openid`);
  start.searchParams.set("client_id", CLIENT.clientId);
  start.searchParams.set("redirect_uri", REDIRECT);
  const code = (await consent(start.href)).searchParams.get("code") ?? "";
  const answer = await fetch(`${issuer}/token`, {
    method: "POST",
    headers: { authorization: `Basic ${btoa(`${CLIENT.clientId}:${CLIENT.clientSecret}`)}` },
    body: new URLSearchParams({ grant_type: "authorization_code", code, redirect_uri: REDIRECT }),
  });
  const { id_token } = (await answer.json()) as { id_token: string };
  return { idToken: id_token, issuer, close };
}

hostile("a revoked token that is still in the verifier's cache", {
  control: "a verifier that trusts its cache takes it for a minute more",
  async unguarded() {
    const { verifier, tokens, token } = await cached(new InMemoryIdentityStore());
    await tokens.revoke(context, {});
    expect(await verifier.verify(token, { audience: "api" })).toMatchObject({ agent: "triage" });
  },
  async guarded() {
    for (const scope of [{}, { agent: "triage" }, { session: "ses_1" }, { user: "alice" }]) {
      const { verifier, tokens, token, clock } = await cached();
      await tokens.revoke(context, scope);
      await clock.advance(1000);
      await expect(verifier.verify(token, { audience: "api" })).rejects.toMatchObject(invalid);
      await verifier.verify(await tokens.issue(context, { audience: "api" }), { audience: "api" });
    }
  },
});

const context = { principal: { tenant: "acme", agent: "triage", session: "ses_1", user: "alice" } };

/** A token in a verifier's cache, with that verifier's own sight of revocations. */
async function cached(sight?: InMemoryIdentityStore) {
  const clock = new ManualClock();
  const store = new InMemoryIdentityStore({ clock });
  const keys = new SigningKeys({ store, keyring: new Keyring({ store, wrapper: ephemeralWrapper(), clock }), clock });
  const process = (seen: InMemoryIdentityStore) =>
    new AgentTokens({ keys, revocations: new Revocations({ store: seen, clock }), issuer: "https://me", clock });
  const [tokens, verifier] = [process(store), process(sight ?? store)];
  const token = await tokens.issue(context, { audience: "api" });
  for (let time = 0; time < 2; time++) await verifier.verify(token, { audience: "api" });
  return { clock, tokens, verifier, token };
}

hostile("a flood of tokens with unknown key ids", {
  control: "a key set without a pause between look-ups asks the issuer for each",
  async unguarded() {
    const { sign } = foreign.trusting();
    const eager = createRemoteJWKSet(new URL(`${foreign.issuer}/jwks`), { cooldownDuration: 0 });
    foreign.asked.length = 0;
    for (let at = 0; at < 20; at++) {
      await expect(jwtVerify(await sign({}, { kid: `unknown-${at}` }), eager)).rejects.toThrow();
    }
    expect(foreign.asked.length).toBeGreaterThanOrEqual(20);
  },
  async guarded() {
    const { trusted, sign, clock } = foreign.trusting();
    foreign.asked.length = 0;
    const tokens = await Promise.all(Array.from({ length: 200 }, (_, at) => sign({}, { kid: `unknown-${at}` })));
    await Promise.all(tokens.map((token) => expect(trusted.verify(token)).rejects.toMatchObject(invalid)));
    expect(foreign.asked).toEqual(["/.well-known/openid-configuration", "/jwks"]);
    const next = await rsaPair();
    foreign.publish([await published(foreign.pair, "k1"), await published(next, "k2")]);
    await clock.advance(30_000);
    await trusted.verify(await sign({}, { kid: "k2" }, next.privateKey));
  },
});
