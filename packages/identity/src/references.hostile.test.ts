import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "vitest";
import { hostile } from "../../../test/support/hostile.ts";
import { acme, HOST, sqliteVault, TOKEN } from "./fixtures/sqlite-vault.ts";

async function refuses(context: { readonly principal: object }, url: string, code: string): Promise<void> {
  const { vault, injector, request, bearer, audit } = await sqliteVault();
  await vault.add(acme, { ...bearer, principals: { agents: ["triage"] } });
  await expect(injector.inject(acme, "tickets", request)).resolves.toBeDefined();
  const attempt = injector.inject(context as typeof acme, "tickets", { ...request, url });
  await expect(attempt).rejects.toMatchObject({ code });
  const tenants = [acme, context as typeof acme];
  const rows = await Promise.all(tenants.map((each) => audit.read(each)));
  expect(rows.flat().some(({ entry }) => entry.decision === "deny" && entry.reference?.endsWith("tickets"))).toBe(true);
}

hostile("another tenant's reference, by its name or id", {
  control: "a store keyed by the reference alone hands it over",
  async unguarded() {
    const { vault, store, bearer } = await sqliteVault();
    const { id } = await vault.add(acme, bearer);
    const byReference = new Map([["tickets", TOKEN]]);
    const asked = { principal: { tenant: "other" }, reference: "tickets" };
    expect(byReference.get(asked.reference)).toBe(TOKEN);
    expect((await store.list("acme", "credential")).items[0]?.body).toMatchObject({ id });
  },
  async guarded() {
    const other = { principal: { tenant: "other", agent: "triage" } };
    await refuses(other, `https://${HOST}/`, "IDENTITY_REFERENCE_UNKNOWN");
    const { vault, injector, request, bearer } = await sqliteVault();
    const { id } = await vault.add(acme, bearer);
    for (const text of [id, "vault://default/tickets"]) {
      const unknown = { code: "IDENTITY_REFERENCE_UNKNOWN" };
      await expect(injector.inject(other, text, request), text).rejects.toMatchObject(unknown);
      expect(await vault.describe(other, text)).toBeUndefined();
    }
  },
});

hostile("a reference in the hands of an agent that it is not bound to", {
  control: "looked up by tenant and name alone, it opens for any agent of the tenant",
  async unguarded() {
    const { vault, injector, request, bearer } = await sqliteVault();
    await vault.add(acme, bearer);
    const writer = { principal: { tenant: "acme", agent: "writer" } };
    expect((await injector.inject(writer, "tickets", request)).request.headers.authorization).toContain(TOKEN);
  },
  guarded: () =>
    refuses({ principal: { tenant: "acme", agent: "writer" } }, `https://${HOST}/`, "IDENTITY_REFERENCE_DENIED"),
});

hostile("a reference is sent to a host that it is not bound to", {
  control: "a client that puts the header on whatever request it is given hands it to the thief",
  async unguarded() {
    const stolen: unknown[] = [];
    const thief = createServer(({ headers }, response) => {
      stolen.push(headers.authorization);
      response.end();
    });
    thief.listen(0, "127.0.0.1");
    await once(thief, "listening");
    const url = `http://127.0.0.1:${(thief.address() as AddressInfo).port}/`;
    await fetch(url, { headers: { authorization: `Bearer ${TOKEN}` } });
    expect(stolen).toEqual([`Bearer ${TOKEN}`]);
    thief.closeAllConnections();
    thief.close();
  },
  guarded: () => refuses(acme, "https://evil.example/", "IDENTITY_REFERENCE_DENIED"),
});

for (const [name, url, careless] of [
  ["a name that begins with the bound one", `https://${HOST}.evil.example/`, (to: URL) => to.host.startsWith(HOST)],
  ["a name that ends with the bound one", `https://evil-${HOST}/`, (to: URL) => to.host.endsWith(HOST)],
  ["the bound name in the path", `https://evil.example/${HOST}`, (to: URL) => to.href.includes(HOST)],
  ["another port of the bound host", `https://${HOST}:8443/`, (to: URL) => to.hostname === HOST],
  ["the bound host without TLS", `http://${HOST}/`, (to: URL) => to.hostname === HOST],
] as const) {
  hostile(`a reference is sent to a near match: ${name}`, {
    control: "a careless comparison takes it for the bound host",
    unguarded: () => expect(careless(new URL(url))).toBe(true),
    guarded: () => refuses(acme, url, "IDENTITY_REFERENCE_DENIED"),
  });
}
