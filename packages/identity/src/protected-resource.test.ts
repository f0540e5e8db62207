import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CLIENT, REDIRECT } from "./fixtures/client.ts";
import { type IdentityProvider, startIdentityProvider } from "./fixtures/identity-provider.ts";
import { alice, installation } from "./fixtures/installation.ts";
import { consent } from "./fixtures/windowless-browser.ts";
import { guardedFetch } from "./internal/guarded-fetch.ts";
import { ProtectedResources, readChallenge } from "./protected-resource.ts";

const fetch = guardedFetch({ allow: ["127.0.0.1"] });
let provider: IdentityProvider;
let resource: string;
let claimed: string | undefined;

/** A resource whose `/write` asks for more than `read`, and which says where its metadata is. */
const server = createServer(async (request, response) => {
  if (request.url?.startsWith("/.well-known/oauth-protected-resource")) {
    response.setHeader("content-type", "application/json");
    const body = {
      resource: claimed ?? resource,
      authorization_servers: [provider.issuer],
      scopes_supported: ["read"],
    };
    return response.end(JSON.stringify(body));
  }
  const scopes = await provider.scopes(request.headers.authorization?.replace("Bearer ", "") ?? "");
  const metadata = `resource_metadata="${new URL(resource).origin}/.well-known/oauth-protected-resource/api"`;
  if (scopes.length === 0) {
    return response.writeHead(401, { "www-authenticate": `Basic realm="x", Bearer ${metadata}` }).end();
  }
  if (request.method === "POST" && !scopes.includes("write")) {
    const challenge = `Bearer error="insufficient_scope", scope="write", ${metadata}`;
    return response.writeHead(403, { "www-authenticate": challenge }).end();
  }
  return response.end("done");
});

beforeAll(async () => {
  provider = await startIdentityProvider();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  resource = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await provider.close();
});

const challengeOf = async (response: Response) => {
  const challenge = await readChallenge(response.headers.get("www-authenticate") ?? "");
  if (challenge === undefined) throw new Error("There is no challenge.");
  return challenge;
};

test("from a refusal to a grant: discovery names the server, and a step-up asks for the union of scopes", async () => {
  const { clock, vault, flows, injector, agree } = installation();
  const call = async (method: string) => {
    const { request } = await injector.inject(alice, "notes", { method, url: resource, headers: {} });
    return fetch(request.url, { method, headers: request.headers });
  };

  const found = await new ProtectedResources({ fetch }).discover(resource, await challengeOf(await fetch(resource)));
  expect(found).toEqual({ resource, issuers: [provider.issuer], scopes: ["read"] });
  const secret = {
    kind: "oauth2_authorization_code",
    issuer: found.issuers[0] ?? "",
    redirectUri: REDIRECT,
    scopes: ["openid", "offline_access", ...found.scopes],
    ...CLIENT,
  } as const;
  await vault.add(alice, { reference: "notes", hosts: [new URL(resource).host], secret });
  await agree(alice, "notes");
  expect((await call("GET")).status).toBe(200);

  const refused = await call("POST");
  const { error, scopes } = await challengeOf(refused);
  expect([refused.status, error, scopes]).toEqual([403, "insufficient_scope", ["write"]]);
  const { url } = await flows.start(alice, "notes", { scopes });
  expect(new URL(url).searchParams.get("scope")?.split(" ")).toEqual(["openid", "offline_access", "read", "write"]);
  expect((await call("GET")).status).toBe(200);
  await flows.finish(alice, await consent(url));
  expect((await call("POST")).status).toBe(200);

  await clock.advance(60_000);
  expect((await call("POST")).status).toBe(200);
  const again = new URL((await flows.start(alice, "notes")).url);
  expect(again.searchParams.get("scope")?.split(" ")).toContain("write");
});

test("metadata about another resource, or on another origin, is refused; the well-known address is the default", async () => {
  const resources = new ProtectedResources({ fetch });
  expect((await resources.discover(resource)).issuers).toEqual([provider.issuer]);
  const refused = { code: "IDENTITY_GRANT_REFUSED" };
  const elsewhere = { scopes: [], resourceMetadata: `${provider.issuer}/.well-known/oauth-protected-resource` };
  await expect(resources.discover(resource, elsewhere)).rejects.toMatchObject(refused);
  claimed = "https://api.example.com/";
  await expect(resources.discover(resource)).rejects.toMatchObject(refused);
  claimed = undefined;
  expect(await readChallenge('Basic realm="x"')).toBeUndefined();
  expect(await readChallenge("")).toBeUndefined();
});
