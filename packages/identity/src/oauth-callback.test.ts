import { afterAll, beforeAll, expect, test } from "vitest";
import { REDIRECT } from "./fixtures/client.ts";
import { type IdentityProvider, startIdentityProvider } from "./fixtures/identity-provider.ts";
import { alice, bob, calendar, installation } from "./fixtures/installation.ts";
import { consent } from "./fixtures/windowless-browser.ts";
import { OAuthCallback, type OAuthCallbackDeps } from "./oauth-callback.ts";

let provider: IdentityProvider;
beforeAll(async () => {
  provider = await startIdentityProvider();
});
afterAll(() => provider.close());

async function returned(options: Partial<OAuthCallbackDeps> = {}) {
  const { vault, flows, connections } = installation();
  await vault.add(alice, calendar(provider.issuer));
  expect(await connections.list(alice)).toMatchObject([{ state: "none", scopes: [] }]);
  const url = await consent((await flows.start(alice, "calendar")).url);
  const callback = new OAuthCallback({ flows, context: () => alice, ...options });
  return { callback, connections, url };
}

test("the page finishes the flow once, and says nothing of the address it came with", async () => {
  const { callback, connections, url } = await returned();
  const done = await callback.handle(new Request(url));
  expect([done.status, done.headers.get("referrer-policy"), done.headers.get("cache-control")]).toEqual([
    ...[200, "no-referrer", "no-store"],
  ]);
  expect(await connections.list(alice)).toMatchObject([{ state: "connected" }]);
  expect(await connections.list(bob)).toMatchObject([{ state: "none" }]);
  const again = await callback.handle(new Request(url));
  expect(again.status).toBe(403);
  const pages = (await done.text()) + (await again.text());
  for (const value of url.searchParams.values()) expect(pages).not.toContain(value);
});

test("whoever is not logged in, or is somebody else, is refused", async () => {
  const nobody = await returned({ context: () => undefined });
  expect((await nobody.callback.handle(new Request(nobody.url))).status).toBe(401);
  const another = await returned({ context: () => bob });
  expect((await another.callback.handle(new Request(another.url))).status).toBe(403);
  expect((await nobody.callback.handle(new Request(nobody.url, { method: "POST" }))).status).toBe(405);
});

test("behind a proxy the public address counts, and the browser may be sent on", async () => {
  const { callback, url } = await returned({ address: REDIRECT, done: (reference) => `/settings?new=${reference}` });
  const inner = new URL(`http://10.0.0.7:8080/inner${url.search}`);
  const answer = await callback.handle(new Request(inner));
  expect([answer.status, answer.headers.get("location")]).toEqual([303, "/settings?new=vault://default/calendar"]);
});
