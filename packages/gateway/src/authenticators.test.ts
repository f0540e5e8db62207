import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bearers } from "./fixtures/parts.ts";
import { firstOf, ProxyAuthenticator } from "./index.ts";
import { JwtAuthenticator, type JwtAuthenticatorOptions } from "./jwt/index.ts";
import { inboundAuthenticatorConformance, ManualClock } from "./testing/index.ts";

const principal = { tenant: "acme", user: "ann" };
const audience = "https://gateway.example/mcp";
const request = (headers: Record<string, string>) => new Request("http://gateway/mcp", { headers });
const bearer = (token: string) => request({ authorization: `Bearer ${token}` });

describe("JWT", () => {
  let issuer = "";
  let asked: string[] = [];
  let keys: readonly object[] = [];
  let up = true;
  const pair = generateKeyPair("ES256");
  const server = createServer((incoming, response) => {
    asked.push(incoming.url ?? "");
    response.setHeader("content-type", "application/json");
    if (!up) return response.writeHead(503).end();
    if (incoming.url === "/keys") return response.end(JSON.stringify({ keys }));
    if (incoming.url === "/.well-known/oauth-authorization-server") {
      return response.end(JSON.stringify({ issuer, jwks_uri: `${issuer}/keys` }));
    }
    return response.writeHead(404).end();
  });
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    keys = [{ ...(await exportJWK((await pair).publicKey)), kid: "1", alg: "ES256" }];
  });
  afterAll(() => server.close());

  async function token(extra: Record<string, unknown> = {}, header: Record<string, unknown> = {}, key = pair) {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: issuer, aud: audience, sub: "ann", iat: now, exp: now + 600, org: "acme", ...extra };
    return new SignJWT(claims)
      .setProtectedHeader({ alg: "ES256", kid: "1", typ: "at+jwt", ...header })
      .sign((await key).privateKey);
  }
  const made = (extra: Partial<JwtAuthenticatorOptions> = {}) => {
    asked = [];
    return new JwtAuthenticator({
      issuer,
      audience,
      claims: ["plan"],
      fetch,
      principal: ({ org, sub }) => (org === "acme" ? { tenant: "acme", user: String(sub) } : undefined),
      ...extra,
    });
  };

  inboundAuthenticatorConformance({
    test,
    create: async () => ({
      authenticator: made(),
      headers: { authorization: `Bearer ${await token()}` },
      principal,
      wrong: [
        { authorization: "Bearer not.a.token" },
        { authorization: "Basic YTpi" },
        { authorization: `Bearer ${await token({ aud: "another-api" })}` },
        { authorization: `Bearer ${await token({ iss: "https://evil.example" })}` },
        { authorization: `Bearer ${await token({ exp: 1 })}` },
        { authorization: `Bearer ${await token({ iat: Math.floor(Date.now() / 1000) + 3600 })}` },
        { authorization: `Bearer ${await token({ org: "globex" })}` },
        { authorization: `Bearer ${await token({}, { typ: "JWT" })}` },
        { authorization: `Bearer ${await token({}, {}, generateKeyPair("ES256"))}` },
      ],
    }),
  });

  test("scopes, chosen claims and the end come along; keys are asked for once, by discovery", async () => {
    const authenticator = made();
    const given = await token({ scope: "read pay", plan: "free", secret: "x" });
    const found = await authenticator.authenticate(bearer(given));
    expect(found).toEqual({
      ...principal,
      scopes: ["read", "pay"],
      claims: { plan: "free" },
      expiresAt: expect.any(Number),
    });
    expect(await authenticator.authenticate(bearer(given))).toBe(found);
    await authenticator.authenticate(bearer(await token()));
    expect(asked).toEqual(["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/keys"]);
  });

  test("a cached token is believed no longer than it lives", async () => {
    const clock = new ManualClock();
    clock.jump(Date.now());
    const authenticator = made({ clock, cacheMs: 3_600_000 });
    const given = await token({ exp: Math.floor(Date.now() / 1000) + 5 });
    await authenticator.authenticate(bearer(given));
    clock.jump(clock.now() + 120_000);
    await expect(authenticator.authenticate(bearer(given))).rejects.toMatchObject({ kind: "unauthenticated" });
  });

  test("a new key is found; unknown ones do not make a flood; an issuer that is down is 503, not 401", async () => {
    const clock = new ManualClock();
    clock.jump(Date.now());
    const authenticator = made({ clock, jwksUri: `${issuer}/keys` });
    await authenticator.authenticate(bearer(await token()));
    for (let count = 0; count < 5; count++) {
      await authenticator.authenticate(bearer(await token({}, { kid: `unknown-${count}` }))).catch(() => {});
    }
    expect(asked).toHaveLength(1);
    const next = generateKeyPair("ES256");
    keys = [{ ...(await exportJWK((await next).publicKey)), kid: "2", alg: "ES256" }];
    clock.jump(clock.now() + 31_000);
    expect(await authenticator.authenticate(bearer(await token({}, { kid: "2" }, next)))).toMatchObject(principal);
    expect(asked).toHaveLength(2);
    up = false;
    await expect(made({ jwksUri: `${issuer}/keys` }).authenticate(bearer(await token()))).rejects.toMatchObject({
      kind: "unavailable",
    });
    up = true;
  });
});

const secret = "what-only-the-proxy-and-the-gateway-know";
const proxied = () =>
  new ProxyAuthenticator({
    secret,
    principal: ({ subject }) => (subject === "CN=ann,O=acme" ? principal : undefined),
  });
const certificate = { "x-client-verify": "SUCCESS", "x-client-subject": "CN=ann,O=acme", "x-proxy-secret": secret };

describe("a certificate that a proxy saw", () => {
  inboundAuthenticatorConformance({
    test,
    create: async () => ({
      authenticator: proxied(),
      headers: certificate,
      principal,
      wrong: [
        { ...certificate, "x-proxy-secret": "" },
        { ...certificate, "x-client-verify": "FAILED" },
        { ...certificate, "x-client-subject": "CN=eve" },
      ],
    }),
  });

  test("a secret that can be guessed is refused at the start", () => {
    expect(() => new ProxyAuthenticator({ secret: "short", principal: () => principal })).toThrow(/32/);
  });
});

test("of several ways to come in the first that knows the caller counts", async () => {
  const both = firstOf(bearers({ right: principal }), proxied());
  expect(await both.authenticate(bearer("right"))).toEqual(principal);
  expect(await both.authenticate(request(certificate))).toEqual(principal);
  expect(await both.authenticate(request({}))).toBeUndefined();
  await expect(both.authenticate(bearer("wrong"))).rejects.toMatchObject({ kind: "unauthenticated" });
});
