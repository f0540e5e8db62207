import { inspect } from "node:util";
import { expect, test } from "vitest";
import { acme, HOST, SECRET, sqliteVault, TOKEN } from "./fixtures/sqlite-vault.ts";
import { createKeyFile, KeyFileWrapper } from "./key-file.ts";
import { Keyring } from "./keyring.ts";
import { PolicyPermissions } from "./policy-permissions.ts";
import { findSecret } from "./testing/canary.ts";

test("a bearer token is put into the request in place of what the agent sent, and into nothing else", async () => {
  const { vault, injector, request, bearer, database } = await sqliteVault();
  const described = await vault.add(acme, bearer);
  const injected = await injector.inject(acme, "tickets", request);
  expect(injected.request.headers).toEqual({ authorization: `Bearer ${TOKEN}` });
  expect(findSecret(JSON.stringify(described) + inspect([vault, injector], { depth: 9 }), TOKEN)).toEqual([]);
  expect(findSecret(database.serialize(), TOKEN)).toEqual([]);
  expect(findSecret(`the control: ${TOKEN}`, TOKEN)).not.toEqual([]);
  expect(injected.redactor.redact({ echo: [`Bearer ${TOKEN}`] })).toEqual({ echo: ["Bearer [redacted]"] });
});

test("each kind goes to its own surface", async () => {
  const { vault, injector, request } = await sqliteVault();
  const key = "k-12345678 &=";
  await vault.add(acme, {
    reference: "h",
    hosts: [HOST],
    secret: { kind: "api_key", key, in: "header", name: "X-Key" },
  });
  await vault.add(acme, { reference: "q", hosts: [HOST], secret: { kind: "api_key", key, in: "query", name: "q" } });
  await vault.add(acme, { reference: "c", hosts: [HOST], secret: { kind: "api_key", key, in: "cookie", name: "sid" } });
  await vault.add(acme, { reference: "b", hosts: [HOST], secret: { kind: "basic", username: "u", password: SECRET } });
  const inject = async (reference: string) => (await injector.inject(acme, reference, request)).request;
  expect((await inject("h")).headers["X-Key"]).toBe(key);
  expect(new URL((await inject("q")).url).searchParams.getAll("q")).toEqual([key]);
  expect((await inject("c")).headers.cookie).toBe(`sid=${encodeURIComponent(key)}`);
  expect((await inject("b")).headers.authorization).toBe(`Basic ${btoa(`u:${SECRET}`)}`);
});

test("a user's own credential goes before the tenant's, and nobody else gets it", async () => {
  const { vault, injector, request, bearer } = await sqliteVault();
  await vault.add(acme, bearer);
  const mine = { ...bearer, owner: { user: "alice" }, secret: { kind: "bearer", token: "alices-own-token" } } as const;
  await vault.add(acme, mine);
  const header = async (user: string) => {
    const context = { principal: { ...acme.principal, user } };
    return (await injector.inject(context, "tickets", request)).request.headers.authorization;
  };
  expect(await header("alice")).toBe("Bearer alices-own-token");
  expect(await header("alice/../bob")).toBe(`Bearer ${TOKEN}`);
});

test("rebinding moves a credential to other hosts and leaves no version bound to the old ones", async () => {
  const { vault, injector, request, bearer } = await sqliteVault();
  await vault.add(acme, bearer);
  await vault.rebind(acme, "tickets", { hosts: ["Other.example.com"] });
  const denied = { code: "IDENTITY_REFERENCE_DENIED" };
  await expect(injector.inject(acme, "tickets", request)).rejects.toMatchObject(denied);
  const moved = { ...request, url: "https://other.example.com/" };
  expect((await injector.inject(acme, "tickets", moved)).request.headers.authorization).toBe(`Bearer ${TOKEN}`);
});

test("rotation serves the new version at once and the old one by number until its grace ends", async () => {
  const { vault, injector, request, bearer, clock } = await sqliteVault();
  await vault.add(acme, bearer);
  await vault.rotate(acme, "tickets", { kind: "bearer", token: "the-second-token" }, { graceMs: 1000 });
  const header = async (ref: string) => (await injector.inject(acme, ref, request)).request.headers.authorization;
  expect(await header("tickets")).toBe("Bearer the-second-token");
  expect(await header("tickets@1")).toBe(`Bearer ${TOKEN}`);
  await clock.advance(1000);
  await expect(header("tickets@1")).rejects.toMatchObject({ code: "IDENTITY_REFERENCE_UNKNOWN" });
});

test("archiving purges payloads, keeps the audit, and frees the reference", async () => {
  const { vault, audit, bearer, store } = await sqliteVault();
  await vault.add(acme, bearer);
  await vault.archive(acme, "tickets");
  expect(JSON.stringify(await store.get("acme", "credential", "vault://default/tickets"))).not.toContain("sealed");
  expect((await audit.read(acme)).map(({ entry }) => entry.action)).toEqual(["credential.add", "credential.archive"]);
  expect((await vault.add(acme, bearer)).versions).toHaveLength(1);
});

test("a tenant's key rotates and the master key is exchanged without touching payloads", async () => {
  const first = await sqliteVault();
  await first.vault.add(acme, first.bearer);
  await first.keyring.rotate("acme");
  expect(await first.vault.rewrap(acme)).toEqual({ rewrapped: 1 });
  const next = `${first.file}.next`;
  await createKeyFile(next);
  await first.keyring.rewrap(new KeyFileWrapper({ path: next }));
  const second = await sqliteVault({ database: first.database, file: next });
  await expect(second.injector.inject(acme, "tickets", first.request)).resolves.toBeDefined();
  expect(await second.audit.verify(acme)).toMatchObject({ intact: true });
});

test("a missing, malformed or wrong key file is one clear error", async () => {
  const { store, file, database, vault, bearer } = await sqliteVault();
  await vault.add(acme, bearer);
  const check = (path: string) => new Keyring({ store, wrapper: new KeyFileWrapper({ path }) }).check();
  await check(file);
  await expect(check("/nonexistent/key")).rejects.toMatchObject({ code: "IDENTITY_KEY_MISSING" });
  await expect(check(import.meta.filename)).rejects.toMatchObject({ code: "IDENTITY_KEY_MISSING" });
  const other = await sqliteVault();
  await expect(check(other.file)).rejects.toMatchObject({ code: "IDENTITY_KEY_MISMATCH" });
  await expect(createKeyFile(file)).rejects.toMatchObject({ code: "IDENTITY_CONFLICT" });
  expect(database.open).toBe(true);
});

test("a rotation whose grace is no span of time changes nothing", async () => {
  const { vault, injector, request, bearer } = await sqliteVault();
  await vault.add(acme, bearer);
  for (const graceMs of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
    const rotation = vault.rotate(acme, "tickets", { kind: "bearer", token: "the-second-token" }, { graceMs });
    await expect(rotation).rejects.toMatchObject({ code: "IDENTITY_INVALID" });
  }
  expect((await injector.inject(acme, "tickets", request)).request.headers.authorization).toBe(`Bearer ${TOKEN}`);
});

test("a body field gets the value where the binding says so, in JSON and in forms", async () => {
  const { vault, injector, request } = await sqliteVault();
  const secret = { kind: "bearer", token: TOKEN } as const;
  await vault.add(acme, { reference: "json", hosts: [HOST], surfaces: [{ in: "body", name: "/auth/key" }], secret });
  await vault.add(acme, { reference: "form", hosts: [HOST], surfaces: [{ in: "body", name: "key" }], secret });
  const send = async (reference: string, type: string, body: string) => {
    const headers = { "content-type": type, "content-length": String(body.length) };
    const sent = await injector.inject(acme, reference, { ...request, headers, body: Buffer.from(body) });
    expect(sent.request.headers["content-length"]).toBe(String(Buffer.from(sent.request.body as Uint8Array).length));
    return String(sent.request.body);
  };
  expect(JSON.parse(await send("json", "application/json", '{"auth":{},"n":1}'))).toEqual({
    auth: { key: TOKEN },
    n: 1,
  });
  expect(JSON.parse(await send("json", "application/json", '{"auth":{"key":"mine"}}')).auth.key).toBe(TOKEN);
  const form = new URLSearchParams(await send("form", "application/x-www-form-urlencoded", "a=1&key=mine"));
  expect(form.getAll("key")).toEqual([TOKEN]);
  for (const [type, body] of [
    ["application/json", '{"other":1}'],
    ["application/json", "{"],
    ["text/plain", "key=1"],
  ] as const) {
    await expect(send("json", type, body), body).rejects.toMatchObject({ code: "IDENTITY_INVALID" });
  }
});

test("policies bound the use of a credential further, and the refusal is on record before anything is opened", async () => {
  const permissions = new PolicyPermissions({
    policies: [
      {
        id: "reads",
        effect: "allow",
        actions: ["credential.use"],
        resources: ["vault://default/tickets"],
        when: [
          { path: "/method", equals: "GET" },
          { path: "/host", equals: HOST },
          { path: "/path", startsWith: "/v1" },
        ],
      },
    ],
  });
  const { vault, injector, request, bearer, audit } = await sqliteVault({ permissions });
  await vault.add(acme, bearer);
  expect((await injector.inject(acme, "tickets", { ...request, method: "get" })).request.headers).toHaveProperty(
    "authorization",
  );
  for (const other of [
    { ...request, method: "DELETE" },
    { ...request, url: `https://${HOST}/v2` },
  ]) {
    const refused = { code: "IDENTITY_REFERENCE_DENIED", message: expect.stringContaining("no policy allows") };
    await expect(injector.inject(acme, "tickets", other)).rejects.toMatchObject(refused);
  }
  expect((await audit.read(acme)).map(({ entry }) => entry.decision)).toEqual(["allow", "allow", "deny", "deny"]);
});

test("whatever keeps a credential from being used is on record: no such version, no such place", async () => {
  const { vault, injector, request, bearer, audit } = await sqliteVault();
  await vault.add(acme, bearer);
  const surfaces = [{ in: "environment", name: "TOKEN" }] as const;
  await vault.add(acme, { ...bearer, reference: "sandboxed", surfaces });
  await expect(injector.inject(acme, "tickets@7", request)).rejects.toMatchObject({
    code: "IDENTITY_REFERENCE_UNKNOWN",
  });
  await expect(injector.inject(acme, "sandboxed", request)).rejects.toMatchObject({
    code: "IDENTITY_REFERENCE_DENIED",
  });
  expect((await audit.read(acme, { after: 2 })).map(({ entry }) => [entry.decision, entry.reason])).toEqual([
    ["deny", "IDENTITY_REFERENCE_UNKNOWN"],
    ["deny", "it has no surface that a request has"],
  ]);
});
