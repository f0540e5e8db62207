import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hostile } from "../../../test/support/hostile.ts";
import { describeWith, parts } from "../../../test/support/system-part.ts";
import { AgentTokens } from "./agent-tokens.ts";
import { AuditLog } from "./audit-log.ts";
import {
  CLIENT,
  consent,
  type IdentityProvider,
  REDIRECT,
  startIdentityProvider,
} from "./fixtures/identity-provider.ts";
import { InMemoryAuditStore, InMemoryIdentityStore } from "./in-memory/index.ts";
import { Injector } from "./injector.ts";
import { guardedFetch } from "./internal/guarded-fetch.ts";
import { Keyring } from "./keyring.ts";
import { OAuthFlows } from "./oauth-flows.ts";
import { OAuthTokens } from "./oauth-tokens.ts";
import { Revocations } from "./revocations.ts";
import { SigningKeys } from "./signing-keys.ts";
import { ephemeralWrapper } from "./testing/ephemeral-wrapper.ts";
import { ManualClock } from "./testing/manual-clock.ts";
import { Vault } from "./vault.ts";

let provider: IdentityProvider;
beforeAll(async () => {
  provider = await startIdentityProvider();
});
afterAll(() => provider.close());

const alice = { principal: { tenant: "acme", agent: "triage", user: "alice" } };
const bob = { principal: { tenant: "acme", agent: "triage", user: "bob" } };
const host = "api.example.com";
const request = { method: "GET", url: `https://${host}/`, headers: {} };

async function setUp() {
  const clock = new ManualClock(Date.now());
  const store = new InMemoryIdentityStore({ clock });
  const keyring = new Keyring({ store, wrapper: ephemeralWrapper(), clock });
  const audit = new AuditLog({ store: new InMemoryAuditStore(), keyring, clock });
  const vault = new Vault({ store, keyring, audit, clock });
  const fetch = guardedFetch({ allow: ["127.0.0.1"] });
  const keys = new SigningKeys({ store, keyring, clock });
  const agentTokens = new AgentTokens({
    keys,
    revocations: new Revocations({ store, clock }),
    issuer: "https://me",
    clock,
  });
  const tokens = new OAuthTokens({ store, keyring, clock, fetch, agentTokens });
  const flows = new OAuthFlows({ store, keyring, audit, clock, fetch });
  const injector = new Injector({ store, keyring, audit, clock, tokens });
  const header = async (context: typeof alice, reference: string) =>
    (await injector.inject(context, reference, request)).request.headers.authorization;
  return { clock, vault, flows, header, agentTokens };
}

const code = () =>
  ({
    reference: "calendar",
    hosts: [host],
    secret: {
      kind: "oauth2_authorization_code",
      issuer: provider.issuer,
      redirectUri: REDIRECT,
      scopes: ["openid", "offline_access", "read"],
      ...CLIENT,
    },
  }) as const;

test("client credentials: one token is asked for, kept, and asked for again when it ends", async () => {
  const { vault, header, clock } = await setUp();
  const secret = { kind: "oauth2_client_credentials", issuer: provider.issuer, scopes: ["read"], ...CLIENT } as const;
  await vault.add(alice, { reference: "m2m", hosts: [host], secret });
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
  const { vault, flows, header, clock } = await setUp();
  await vault.add(alice, code());
  await expect(header(alice, "calendar")).rejects.toMatchObject({ code: "IDENTITY_CONSENT_REQUIRED" });
  const { url } = await flows.start(alice, "calendar");
  await flows.finish(alice, await consent(url));
  const first = await header(alice, "calendar");
  await expect(header(bob, "calendar")).rejects.toMatchObject({ code: "IDENTITY_CONSENT_REQUIRED" });
  await clock.advance(60_000);
  const before = provider.served.length;
  const all = await Promise.all(Array.from({ length: 100 }, () => header(alice, "calendar")));
  expect(new Set(all).size).toBe(1);
  expect(all[0]).not.toBe(first);
  expect(provider.served.slice(before)).toEqual(["refresh_token"]);
  await clock.advance(60_000);
  expect(await header(alice, "calendar")).not.toBe(all[0]);
  await flows.revoke(alice, "calendar");
  await expect(header(alice, "calendar")).rejects.toMatchObject({ code: "IDENTITY_CONSENT_REQUIRED" });
});

describeWith([parts.chromium], "in a browser", () => {
  test("a user logs in and consents in Chromium, and the callback finishes the flow", async () => {
    const { vault, flows, header } = await setUp();
    await vault.add(alice, code());
    const browser = await chromium.launch({
      executablePath: "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"],
    });
    try {
      const page = await browser.newPage();
      const callback = page.waitForRequest((request) => request.url().startsWith(REDIRECT));
      await page.goto((await flows.start(alice, "calendar")).url);
      await page.fill('input[name="login"]', "alice");
      await page.fill('input[name="password"]', "x");
      await page.click('button[type="submit"]');
      await page.click('button[type="submit"]').catch(() => {});
      await flows.finish(alice, new URL((await callback).url()));
    } finally {
      await browser.close();
    }
    expect(await header(alice, "calendar")).toMatch(/^Bearer /);
  });
});

test("a token exchange sends the agent's own token, a jwt_bearer an assertion signed by its key", async () => {
  const bodies: URLSearchParams[] = [];
  const server = createServer(async (incoming, response) => {
    const chunks = await incoming.toArray();
    bodies.push(new URLSearchParams(Buffer.concat(chunks).toString()));
    response.setHeader("content-type", "application/json");
    response.end(
      JSON.stringify({
        access_token: `exchanged-token-${bodies.length}`,
        token_type: "bearer",
        expires_in: 60,
        issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
      }),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const tokenEndpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
  const { vault, header, agentTokens } = await setUp();
  const common = { tokenEndpoint, ...CLIENT };
  await vault.add(alice, { reference: "x", hosts: [host], secret: { kind: "token_exchange", ...common } });
  expect(await header(alice, "x")).toBe("Bearer exchanged-token-1");
  const subject = bodies[0]?.get("subject_token") ?? "";
  expect(await agentTokens.verify(subject, { audience: tokenEndpoint })).toEqual(alice.principal);
  const privateKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
    type: "pkcs8",
    format: "pem",
  });
  const jwt = { kind: "jwt_bearer", privateKey: String(privateKey), algorithm: "ES256", subject: "svc" } as const;
  await vault.add(alice, { reference: "j", hosts: [host], secret: { ...jwt, ...common } });
  expect(await header(alice, "j")).toBe("Bearer exchanged-token-2");
  expect(bodies[1]?.get("assertion")?.split(".")).toHaveLength(3);
  server.close();
});

hostile("a callback with a missing, reused or another user's state, or to another address", {
  control: "the callback of the user who started succeeds",
  async unguarded() {
    const { vault, flows } = await setUp();
    await vault.add(alice, code());
    await flows.finish(alice, await consent((await flows.start(alice, "calendar")).url));
  },
  async guarded() {
    const { vault, flows } = await setUp();
    await vault.add(alice, code());
    const callback = async () => await consent((await flows.start(alice, "calendar")).url);
    const refused = { code: "IDENTITY_FLOW_REFUSED" };
    const missing = await callback();
    missing.searchParams.delete("state");
    await expect(flows.finish(alice, missing)).rejects.toMatchObject(refused);
    const used = await callback();
    await flows.finish(alice, used);
    await expect(flows.finish(alice, used)).rejects.toMatchObject(refused);
    await expect(flows.finish(bob, await callback())).rejects.toMatchObject(refused);
    const mixedUp = await callback();
    mixedUp.searchParams.set("iss", "https://evil.example");
    await expect(flows.finish(alice, mixedUp)).rejects.toMatchObject(refused);
    for (const near of [
      "http://127.0.0.1:9/callback/",
      "http://127.0.0.1:9/callback/../callbacks",
      "http://127.0.0.1:8/callback",
    ]) {
      const elsewhere = new URL(near);
      elsewhere.search = (await callback()).search;
      await expect(flows.finish(alice, elsewhere), near).rejects.toMatchObject(refused);
    }
  },
});

hostile("a stolen code is redeemed without its verifier, or in another user's flow", {
  control: "the same code redeems in its own flow",
  async unguarded() {
    const { vault, flows } = await setUp();
    await vault.add(alice, code());
    await flows.finish(alice, await consent((await flows.start(alice, "calendar")).url));
  },
  async guarded() {
    const { vault, flows } = await setUp();
    await vault.add(alice, code());
    const mine = await consent((await flows.start(alice, "calendar")).url);
    const theirs = await consent((await flows.start(bob, "calendar")).url);
    expect((await redeem(provider.issuer, theirs)).status).toBe(400);
    mine.searchParams.set("code", theirs.searchParams.get("code") ?? "");
    await expect(flows.finish(alice, mine)).rejects.toMatchObject({ code: "IDENTITY_FLOW_REFUSED" });
  },
});

hostile("PKCE is downgraded: the challenge is cut from the address, or the server offers only `plain`", {
  control: "a server that does not ask for PKCE redeems a code from the cut address for whoever stole it",
  async unguarded() {
    const careless = await startIdentityProvider({ pkce: false });
    const { vault, flows } = await setUp();
    const { secret, ...rest } = code();
    await vault.add(alice, { ...rest, secret: { ...secret, issuer: careless.issuer } });
    const stolen = await consent(cut((await flows.start(alice, "calendar")).url));
    expect(await (await redeem(careless.issuer, stolen)).json()).toHaveProperty("access_token");
    await careless.close();
  },
  async guarded() {
    const careless = await startIdentityProvider({ pkce: false });
    const { vault, flows } = await setUp();
    const { secret, ...rest } = code();
    await vault.add(alice, { ...rest, secret: { ...secret, issuer: careless.issuer } });
    const { url } = await flows.start(alice, "calendar");
    expect(new URL(url).searchParams.get("code_challenge_method")).toBe("S256");
    const refused = { code: "IDENTITY_FLOW_REFUSED" };
    await expect(flows.finish(alice, await consent(cut(url)))).rejects.toMatchObject(refused);
    await careless.close();
    const plain = createServer((incoming, response) => {
      const issuer = `http://${incoming.headers.host}`;
      const endpoints = { authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token` };
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ issuer, ...endpoints, code_challenge_methods_supported: ["plain"] }));
    });
    plain.listen(0, "127.0.0.1");
    await once(plain, "listening");
    const issuer = `http://127.0.0.1:${(plain.address() as AddressInfo).port}`;
    await vault.add(alice, { ...rest, reference: "plain", secret: { ...secret, issuer } });
    await expect(flows.start(alice, "plain")).rejects.toMatchObject(refused);
    plain.closeAllConnections();
    plain.close();
  },
});

function cut(start: string): string {
  const url = new URL(start);
  url.searchParams.delete("code_challenge");
  url.searchParams.delete("code_challenge_method");
  return url.href;
}

/** What a thief does who has the code and the client's secret, but not the verifier. */
const redeem = (issuer: string, callback: URL): Promise<Response> =>
  fetch(`${issuer}/token`, {
    method: "POST",
    headers: { authorization: `Basic ${btoa(`${CLIENT.clientId}:${CLIENT.clientSecret}`)}` },
    body: new URLSearchParams({
      grant_type: "authorization_code",
      code: callback.searchParams.get("code") ?? "",
      redirect_uri: REDIRECT,
    }),
  });
