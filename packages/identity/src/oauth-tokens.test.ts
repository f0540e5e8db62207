import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { jwtVerify } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CLIENT } from "./fixtures/client.ts";
import { type IdentityProvider, startIdentityProvider } from "./fixtures/identity-provider.ts";
import { alice, bob, calendar, HOST, installation } from "./fixtures/installation.ts";
import { IssuerEndpoint } from "./issuer-endpoint.ts";
import { TrustedIssuer } from "./trusted-issuer.ts";

let provider: IdentityProvider;
beforeAll(async () => {
  provider = await startIdentityProvider();
});
afterAll(() => provider.close());

const consentRequired = { code: "IDENTITY_CONSENT_REQUIRED" };
const machine = () =>
  ({ kind: "oauth2_client_credentials", issuer: provider.issuer, scopes: ["read"], ...CLIENT }) as const;

test("client credentials: one token is asked for, kept, and asked for again when it ends", async () => {
  const { vault, header, clock } = installation();
  await vault.add(alice, { reference: "m2m", hosts: [HOST], secret: machine() });
  const before = provider.served.length;
  const first = await header(alice, "m2m");
  expect(first).toMatch(/^Bearer .{20,}/);
  expect(await header(bob, "m2m")).toBe(first);
  expect(provider.served.length - before).toBe(1);
  await clock.advance(60_000);
  expect(await header(alice, "m2m")).not.toBe(first);
  expect(provider.served.length - before).toBe(2);
});

test("authorisation code: consent, use, and one refresh under 100 parallel calls with an ended token", async () => {
  const { vault, flows, header, agree, clock } = installation();
  await vault.add(alice, calendar(provider.issuer));
  await expect(header(alice, "calendar")).rejects.toMatchObject(consentRequired);
  await agree(alice, "calendar");
  const first = await header(alice, "calendar");
  await expect(header(bob, "calendar")).rejects.toMatchObject(consentRequired);
  await clock.advance(60_000);
  const before = provider.served.length;
  const all = await Promise.all(Array.from({ length: 100 }, () => header(alice, "calendar")));
  expect(new Set(all).size).toBe(1);
  expect(all[0]).not.toBe(first);
  expect(provider.served.slice(before)).toEqual(["refresh_token"]);
  await clock.advance(60_000);
  const last = (await header(alice, "calendar"))?.replace("Bearer ", "") ?? "";
  expect(all[0]).not.toContain(last);
  expect(await provider.scopes(last)).toContain("read");
  await flows.revoke(alice, "calendar");
  await expect(header(alice, "calendar")).rejects.toMatchObject(consentRequired);
  expect(await provider.scopes(last), "revoked at the server too (RFC 7009)").toEqual([]);
});

test("a caller that gives up ends its own wait and nobody else's", async () => {
  const { vault, header, agree, clock } = installation();
  await vault.add(alice, calendar(provider.issuer));
  await agree(alice, "calendar");
  await clock.advance(60_000);
  const controller = new AbortController();
  const impatient = header({ ...alice, signal: controller.signal } as typeof alice, "calendar");
  const patient = header(alice, "calendar");
  controller.abort(new Error("no longer needed"));
  await expect(impatient).rejects.toThrow("no longer needed");
  expect(await patient).toMatch(/^Bearer /);
});

test("a consent outlives the client's new secret and hosts, and ends with the credential", async () => {
  const { vault, header, agree, store } = installation();
  const { secret, ...rest } = calendar(provider.issuer);
  await vault.add(alice, { ...rest, secret });
  await agree(alice, "calendar");
  const token = await header(alice, "calendar");
  await vault.rotate(alice, "calendar", { ...secret, clientSecret: "another-secret-of-the-client" });
  await vault.rebind(alice, "calendar", { hosts: [HOST, "other.example.com"] });
  expect(await header(alice, "calendar")).toBe(token);
  await vault.rotate(alice, "calendar", { ...secret, clientId: "another-client" });
  await expect(header(alice, "calendar")).rejects.toMatchObject(consentRequired);
  await vault.archive(alice, "calendar");
  expect((await store.list("acme", "grant")).items).toEqual([]);
  await vault.add(alice, { ...rest, hosts: ["elsewhere.example.com"], secret });
  await expect(header(alice, "calendar", "elsewhere.example.com")).rejects.toMatchObject(consentRequired);
});

test("a token for a resource (RFC 8707) is for that API alone, as verified by the keys its issuer publishes", async () => {
  const { vault, header, fetch } = installation();
  const resource = "https://api.example.com/";
  await vault.add(alice, { reference: "m2m", hosts: [HOST], secret: { ...machine(), resource } });
  const token = (await header(alice, "m2m"))?.replace("Bearer ", "") ?? "";
  const trusting = (audience: string) =>
    new TrustedIssuer({
      issuer: provider.issuer,
      audience,
      principal: ({ client_id }) => ({ tenant: "acme", agent: String(client_id) }),
      fetch,
    });
  expect(await trusting(resource).verify(token)).toEqual({ tenant: "acme", agent: CLIENT.clientId });
  const invalid = { code: "IDENTITY_TOKEN_INVALID" };
  await expect(trusting("https://other.example.com/").verify(token)).rejects.toMatchObject(invalid);
});

test("a token exchange sends the agent's own token, which the server verifies by our published keys", async () => {
  const publishing = createServer(async (incoming, response) => {
    const answer = await endpoint.handle(new Request(`${issuer}${incoming.url}`));
    response.writeHead(answer?.status ?? 404, { "content-type": "application/json" }).end(await answer?.text());
  });
  publishing.listen(0, "127.0.0.1");
  await once(publishing, "listening");
  const issuer = `http://127.0.0.1:${(publishing.address() as AddressInfo).port}`;
  const { vault, header, keys, clock, fetch } = installation({ issuer });
  const endpoint = new IssuerEndpoint({ keys, issuer });
  const subjects: unknown[] = [];
  const exchanging = await startIdentityProvider({
    async trusts(token) {
      const principal = ({ tenant, sub, act }: Readonly<Record<string, unknown>>) => {
        subjects.push({ tenant, sub, act });
        return { tenant: String(tenant) };
      };
      return new TrustedIssuer({ issuer, audience: exchanging.issuer, principal, fetch, clock }).verify(token).then(
        () => true,
        () => false,
      );
    },
  });
  const secret = { kind: "token_exchange", issuer: exchanging.issuer, ...CLIENT } as const;
  await vault.add(alice, { reference: "x", hosts: [HOST], secret });
  const first = await header(alice, "x");
  expect(first).toMatch(/^Bearer .{20,}/);
  expect(await header(bob, "x")).not.toBe(first);
  await keys.rotate();
  await clock.advance(660_000);
  expect(await header(alice, "x")).not.toBe(first);
  const acting = (sub: string) => ({ tenant: "acme", sub, act: { sub: "triage" } });
  expect(subjects).toEqual([acting("alice"), acting("bob"), acting("alice")]);
  publishing.closeAllConnections();
  publishing.close();
  await exchanging.close();
});

test("jwt_bearer sends an assertion that its key signed for that server", async () => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { vault, header, clock } = installation();
  const asserting = await startIdentityProvider({
    async trusts(assertion) {
      const audience = `${asserting.issuer}/token`;
      const options = { audience, issuer: CLIENT.clientId, subject: "svc", currentDate: new Date(clock.now()) };
      return jwtVerify(assertion, publicKey, { ...options, requiredClaims: ["jti"], maxTokenAge: 60 }).then(
        () => true,
        () => false,
      );
    },
  });
  const secret = (key: typeof privateKey) =>
    ({
      kind: "jwt_bearer",
      issuer: asserting.issuer,
      algorithm: "ES256",
      subject: "svc",
      ...CLIENT,
      privateKey: String(key.export({ type: "pkcs8", format: "pem" })),
    }) as const;
  await vault.add(alice, { reference: "j", hosts: [HOST], secret: secret(privateKey) });
  expect(await header(alice, "j")).toMatch(/^Bearer .{20,}/);
  const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  await vault.add(alice, { reference: "k", hosts: [HOST], secret: secret(stranger) });
  await expect(header(alice, "k")).rejects.toMatchObject({ code: "IDENTITY_GRANT_REFUSED" });
  await asserting.close();
});
