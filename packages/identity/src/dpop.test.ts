import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { decodeJwt } from "jose";
import * as oauth from "oauth4webapi";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hostile } from "../../../test/support/hostile.ts";
import { Egress } from "./egress.ts";
import { CLIENT } from "./fixtures/client.ts";
import { type IdentityProvider, startIdentityProvider } from "./fixtures/identity-provider.ts";
import { alice, calendar, installation } from "./fixtures/installation.ts";

let provider: IdentityProvider;
let strict: IdentityProvider;
let api: string;

/** A resource that takes a token with a proof for this very request, and an unbound one as it is. */
const server = createServer(async ({ url, method = "GET", headers }, response) => {
  const { authorization = "", dpop = "" } = headers as Readonly<Record<string, string | undefined>>;
  const request = new Request(`${new URL(api).origin}${url}`, {
    method,
    headers: { authorization, ...(dpop && { dpop }) },
  });
  const issuer = String(decodeJwt(authorization.split(" ")[1] ?? "").iss);
  const metadata = { issuer, jwks_uri: `${issuer}/jwks` };
  const options = { [oauth.allowInsecureRequests]: true };
  const claims = await oauth.validateJwtAccessToken(metadata, request, api, options).catch(() => undefined);
  response.writeHead(claims === undefined ? 401 : 200).end(JSON.stringify(claims?.cnf ?? null));
});
beforeAll(async () => {
  provider = await startIdentityProvider();
  strict = await startIdentityProvider({ nonces: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  api = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await provider.close();
  await strict.close();
});

async function machine({ dpop = true, issuer = provider.issuer } = {}) {
  const mine = installation();
  const secret = {
    kind: "oauth2_client_credentials",
    issuer,
    scopes: ["read"],
    resource: api,
    dpop,
    ...CLIENT,
  } as const;
  const surfaces = [
    { in: "header", name: "authorization" },
    { in: "environment", name: "API_TOKEN" },
  ] as const;
  await mine.vault.add(alice, { reference: "api", hosts: [new URL(api).host], surfaces, secret });
  return mine;
}

const get = { method: "GET", headers: {} };
const send = ({ url, headers }: { readonly url: string; readonly headers: object }) =>
  fetch(url, { headers: { ...headers } });

test("a bound token comes with a proof for each request, from the injector and from the egress", async () => {
  const { injector, store, keyring, audit, tokens } = await machine();
  const { request } = await injector.inject(alice, "api", { ...get, url: api });
  expect(request.headers.authorization).toMatch(/^DPoP /);
  const answer = await send(request);
  expect([answer.status, await answer.json()]).toEqual([200, { jkt: expect.any(String) }]);
  const egress = new Egress({ store, keyring, audit, tokens });
  const { API_TOKEN } = await egress.environment(alice);
  const headers = { authorization: `Bearer ${API_TOKEN}` };
  const carried = await egress.substitute(alice, { ...get, url: `${api}/more`, headers });
  expect((await send(carried.request)).status).toBe(200);
});

test("a server that wants a nonce in the proof is asked a second time; a resource's nonce is passed through", async () => {
  const { injector } = await machine({ issuer: strict.issuer });
  const headers = { "dpop-nonce": "of-the-resource" };
  const { request } = await injector.inject(alice, "api", { ...get, url: api, headers });
  expect(decodeJwt(request.headers.dpop ?? "")).toMatchObject({ nonce: "of-the-resource", htm: "GET", htu: api });
  expect(request.headers).not.toHaveProperty("dpop-nonce");
  expect((await send(request)).status).toBe(200);
});

test("refreshed tokens stay bound to the key of the user's consent", async () => {
  const { vault, agree, injector, clock } = installation();
  await vault.add(alice, { ...calendar(provider.issuer, { dpop: true, resource: api }), hosts: [new URL(api).host] });
  await agree(alice, "calendar");
  const key = async () => {
    const { request } = await injector.inject(alice, "calendar", { ...get, url: api });
    const token = request.headers.authorization?.replace("DPoP ", "") ?? "";
    return { token, key: decodeJwt(token).cnf };
  };
  const first = await key();
  await clock.advance(60_000);
  const next = await key();
  expect(next.token).not.toBe(first.token);
  expect(next.key).toEqual(first.key);
});

hostile("a token is stolen on its way to the resource", {
  control: "an unbound token is used by whoever has it, for whatever it allows",
  async unguarded() {
    const { injector } = await machine({ dpop: false });
    const { request } = await injector.inject(alice, "api", { ...get, url: api });
    expect((await send({ url: `${api}/accounts`, headers: request.headers })).status).toBe(200);
  },
  async guarded() {
    const { injector } = await machine();
    const { request } = await injector.inject(alice, "api", { ...get, url: api });
    const token = request.headers.authorization?.replace("DPoP ", "") ?? "";
    for (const headers of [
      { authorization: `Bearer ${token}` },
      { authorization: `DPoP ${token}` },
      { authorization: `DPoP ${token}`, dpop: request.headers.dpop },
    ]) {
      expect((await send({ url: `${api}/accounts`, headers })).status).toBe(401);
    }
  },
});
