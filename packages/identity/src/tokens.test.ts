import { expect, test } from "vitest";
import { AgentTokens } from "./agent-tokens.ts";
import { BearerAuthenticator } from "./bearer-authenticator.ts";
import { InMemoryIdentityStore } from "./in-memory/index.ts";
import { IssuerEndpoint } from "./issuer-endpoint.ts";
import { Keyring } from "./keyring.ts";
import { Revocations } from "./revocations.ts";
import { SigningKeys } from "./signing-keys.ts";
import { ephemeralWrapper } from "./testing/ephemeral-wrapper.ts";
import { ManualClock } from "./testing/manual-clock.ts";

const context = { principal: { tenant: "acme", agent: "triage", agentVersion: "3", session: "ses_1", user: "alice" } };
const invalid = { code: "IDENTITY_TOKEN_INVALID", kind: "unauthenticated" };
const audience = "api";

function own(algorithm: "ES256" | "EdDSA" = "ES256") {
  const clock = new ManualClock();
  const store = new InMemoryIdentityStore({ clock });
  const keyring = new Keyring({ store, wrapper: ephemeralWrapper(), clock });
  /** Nothing but the store is shared between two of these, as between two processes. */
  const process = () => {
    const keys = new SigningKeys({ store, keyring, clock, algorithm });
    const revocations = new Revocations({ store, clock });
    return { keys, tokens: new AgentTokens({ keys, revocations, issuer: "https://me", clock }) };
  };
  return { clock, process, ...process() };
}

const kidOf = (token: string): unknown =>
  JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()).kid;

test.each(["ES256", "EdDSA"] as const)("an agent token (%s) brings its principal back, and ends", async (algorithm) => {
  const { tokens, clock } = own(algorithm);
  const token = await tokens.issue(context, { audience });
  const authenticator = new BearerAuthenticator({ tokens, audience });
  const request = (value: string) => new Request("https://x/", { headers: { authorization: value } });
  expect(await authenticator.authenticate(request(`Bearer ${token}`))).toEqual(context.principal);
  expect(await authenticator.authenticate(new Request("https://x/"))).toBeUndefined();
  await expect(authenticator.authenticate(request("Bearer x"))).rejects.toMatchObject(invalid);
  await expect(tokens.verify(token, { audience: "other" })).rejects.toMatchObject(invalid);
  await clock.advance(306_000);
  await expect(tokens.verify(token, { audience })).rejects.toMatchObject(invalid);
});

test("a new key is published before it signs, old tokens verify during the overlap, and then the key is forgotten", async () => {
  const { tokens, keys, clock } = own();
  const before = await tokens.issue(context, { audience });
  await clock.advance(600_000);
  await keys.rotate();
  const [next] = (await keys.jwks()).keys;
  expect((await keys.jwks()).keys).toHaveLength(2);
  expect(JSON.stringify(await keys.jwks())).not.toContain('"d"');
  expect(kidOf(await tokens.issue(context, { audience }))).toBe(kidOf(before));
  await clock.advance(600_000);
  expect(kidOf(await tokens.issue(context, { audience }))).toBe(next?.kid);
  await clock.advance(86_400_000);
  expect((await keys.jwks()).keys).toHaveLength(1);
});

test("another process takes tokens of a key it had not seen, and none of a compromised one after a minute", async () => {
  const { tokens, keys, clock, process } = own();
  const other = process();
  const before = await tokens.issue(context, { audience });
  await other.tokens.verify(before, { audience });
  await clock.advance(1000);
  await keys.rotate({ compromised: true });
  const after = await tokens.issue(context, { audience });
  expect(kidOf(after)).not.toBe(kidOf(before));
  expect(await other.tokens.verify(after, { audience })).toMatchObject({ agent: "triage" });
  await clock.advance(60_000);
  for (const each of [tokens, other.tokens]) {
    await expect(each.verify(before, { audience })).rejects.toMatchObject(invalid);
  }
  expect((await keys.jwks()).keys).toHaveLength(1);
});

test.each(["https://agents.example.com", "https://example.com/agents"])("%s is found by discovery", async (issuer) => {
  const { keys } = own();
  const endpoint = new IssuerEndpoint({ keys, issuer });
  const { origin, pathname } = new URL(issuer);
  const path = pathname === "/" ? "" : pathname;
  const get = async (url: string) => (await endpoint.handle(new Request(url)))?.json();
  const metadata = await get(`${origin}/.well-known/oauth-authorization-server${path}`);
  expect(metadata).toMatchObject({ issuer });
  expect(await get(`${issuer}/.well-known/openid-configuration`)).toEqual(metadata);
  expect(await get((metadata as { jwks_uri: string }).jwks_uri)).toEqual(await keys.jwks());
  expect(await endpoint.handle(new Request(`${issuer}/other`))).toBeUndefined();
  expect(await endpoint.handle(new Request(`${issuer}/.well-known/jwks.json`, { method: "POST" }))).toBeUndefined();
});
