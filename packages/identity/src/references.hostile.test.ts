import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, vi } from "vitest";
import { hostile } from "../../../test/support/hostile.ts";
import { acme, HOST, sqliteVault, TOKEN } from "./fixtures/sqlite-vault.ts";
import { matchesHost } from "./internal/hosts.ts";

/** The real comparison, until a control takes it out. */
vi.mock("./internal/hosts.ts", { spy: true });

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
  control: "whoever builds the principal from what the caller sent, and not from who called, hands it over",
  async unguarded() {
    const { vault, injector, request, bearer } = await sqliteVault();
    await vault.add(acme, bearer);
    const sent = { tenant: "acme", reference: "tickets" };
    const believed = { principal: { tenant: sent.tenant, agent: "theirs" } };
    const { headers } = (await injector.inject(believed, sent.reference, request)).request;
    expect(headers.authorization).toBe(`Bearer ${TOKEN}`);
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
  control: "bound to the thief's host beside its own, the token arrives there",
  unguarded: async () => expect(await stolen((thief) => [HOST, thief])).toEqual([`Bearer ${TOKEN}`]),
  async guarded() {
    expect(await stolen(() => [HOST])).toEqual([]);
    await refuses(acme, "https://evil.example/", "IDENTITY_REFERENCE_DENIED");
  },
});

/** What a server of the thief's receives when an agent calls it with a credential that is bound to `hosts`. */
async function stolen(hosts: (thief: string) => readonly string[]): Promise<readonly unknown[]> {
  const received: unknown[] = [];
  const server = createServer(({ headers }, response) => {
    received.push(headers.authorization);
    response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const thief = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { vault, injector, request, bearer } = await sqliteVault();
  await vault.add(acme, { ...bearer, hosts: hosts(thief) });
  await injector.inject(acme, "tickets", { ...request, url: `http://${thief}/` }).then(
    ({ request: { url, headers } }) => fetch(url, { headers }),
    (error: unknown) => expect(error).toMatchObject({ code: "IDENTITY_REFERENCE_DENIED" }),
  );
  server.closeAllConnections();
  server.close();
  return received;
}

for (const [name, url, careless] of [
  ["a name that begins with the bound one", `https://${HOST}.evil.example/`, (to: URL) => to.host.startsWith(HOST)],
  ["a name that ends with the bound one", `https://evil-${HOST}/`, (to: URL) => to.host.endsWith(HOST)],
  ["the bound name in the path", `https://evil.example/${HOST}`, (to: URL) => to.href.includes(HOST)],
  ["another port of the bound host", `https://${HOST}:8443/`, (to: URL) => to.hostname === HOST],
  ["the bound host without TLS", `http://${HOST}/`, (to: URL) => to.hostname === HOST],
] as const) {
  hostile(`a reference is sent to a near match: ${name}`, {
    control: "the same injector with a careless comparison puts the token into the request to it",
    async unguarded() {
      const { vault, injector, request, bearer } = await sqliteVault();
      await vault.add(acme, bearer);
      vi.mocked(matchesHost).mockImplementation((_, to) => careless(to));
      const sent = await injector.inject(acme, "tickets", { ...request, url });
      vi.mocked(matchesHost).mockReset();
      expect(sent.request).toMatchObject({ url, headers: { authorization: `Bearer ${TOKEN}` } });
    },
    guarded: () => refuses(acme, url, "IDENTITY_REFERENCE_DENIED"),
  });
}
