import { createSecretKey, randomBytes } from "node:crypto";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { hostile } from "../../../test/support/hostile.ts";
import { AuditLog } from "./audit-log.ts";
import { Injector } from "./injector.ts";
import { decrypt, encrypt } from "./internal/envelope.ts";
import { createKeyFile, KeyFileWrapper } from "./key-file.ts";
import { Keyring } from "./keyring.ts";
import { SqliteAuditStore, SqliteIdentityStore } from "./sqlite/index.ts";
import { findSecret } from "./testing/canary.ts";
import { ManualClock } from "./testing/manual-clock.ts";
import { Vault } from "./vault.ts";

const SECRET = 'tok_9f/+"canary&value\\7';
const TOKEN = "tok_9f/+canary&value~7";
const acme = { principal: { tenant: "acme", agent: "triage", session: "ses_1" } };
const host = "api.example.com";

async function setUp(database = new Database(":memory:"), path?: string) {
  const file = path ?? join(await mkdtemp(join(tmpdir(), "ashlar-identity-")), "key");
  if (path === undefined) await createKeyFile(file);
  const clock = new ManualClock();
  const store = new SqliteIdentityStore({ database, clock });
  const keyring = new Keyring({ store, wrapper: new KeyFileWrapper({ path: file }), clock });
  const audit = new AuditLog({ store: new SqliteAuditStore({ database }), keyring, clock });
  const vault = new Vault({ store, keyring, audit, clock });
  const injector = new Injector({ store, keyring, audit, clock });
  const request = { method: "GET", url: `https://${host}/v1?q=1`, headers: { Authorization: "from the agent" } };
  const bearer = { reference: "tickets", hosts: [host], secret: { kind: "bearer", token: TOKEN } } as const;
  return { file, database, clock, store, keyring, audit, vault, injector, request, bearer };
}

test("a bearer token is put into the request in place of what the agent sent, and into nothing else", async () => {
  const { vault, injector, request, bearer, database } = await setUp();
  const described = await vault.add(acme, bearer);
  const injected = await injector.inject(acme, "tickets", request);
  expect(injected.request.headers).toEqual({ authorization: `Bearer ${TOKEN}` });
  expect(findSecret(JSON.stringify(described) + inspect([vault, injector], { depth: 9 }), TOKEN)).toEqual([]);
  expect(findSecret(database.serialize(), TOKEN)).toEqual([]);
  expect(findSecret(`the control: ${TOKEN}`, TOKEN)).not.toEqual([]);
  expect(injected.redactor.redact({ echo: [`Bearer ${TOKEN}`] })).toEqual({ echo: ["Bearer [redacted]"] });
});

test("each kind goes to its own surface", async () => {
  const { vault, injector, request } = await setUp();
  const key = "k-12345678 &=";
  await vault.add(acme, {
    reference: "h",
    hosts: [host],
    secret: { kind: "api_key", key, in: "header", name: "X-Key" },
  });
  await vault.add(acme, { reference: "q", hosts: [host], secret: { kind: "api_key", key, in: "query", name: "q" } });
  await vault.add(acme, { reference: "c", hosts: [host], secret: { kind: "api_key", key, in: "cookie", name: "sid" } });
  await vault.add(acme, { reference: "b", hosts: [host], secret: { kind: "basic", username: "u", password: SECRET } });
  const inject = async (reference: string) => (await injector.inject(acme, reference, request)).request;
  expect((await inject("h")).headers["X-Key"]).toBe(key);
  expect(new URL((await inject("q")).url).searchParams.getAll("q")).toEqual([key]);
  expect((await inject("c")).headers.cookie).toBe(`sid=${encodeURIComponent(key)}`);
  expect((await inject("b")).headers.authorization).toBe(`Basic ${btoa(`u:${SECRET}`)}`);
});

test("a user's own credential goes before the tenant's, and nobody else gets it", async () => {
  const { vault, injector, request, bearer } = await setUp();
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
  const { vault, injector, request, bearer } = await setUp();
  await vault.add(acme, bearer);
  await vault.rebind(acme, "tickets", { hosts: ["Other.example.com"] });
  const denied = { code: "IDENTITY_REFERENCE_DENIED" };
  await expect(injector.inject(acme, "tickets", request)).rejects.toMatchObject(denied);
  const moved = { ...request, url: "https://other.example.com/" };
  expect((await injector.inject(acme, "tickets", moved)).request.headers.authorization).toBe(`Bearer ${TOKEN}`);
});

test("rotation serves the new version at once and the old one by number until its grace ends", async () => {
  const { vault, injector, request, bearer, clock } = await setUp();
  await vault.add(acme, bearer);
  await vault.rotate(acme, "tickets", { kind: "bearer", token: "the-second-token" }, { graceMs: 1000 });
  const header = async (ref: string) => (await injector.inject(acme, ref, request)).request.headers.authorization;
  expect(await header("tickets")).toBe("Bearer the-second-token");
  expect(await header("tickets@1")).toBe(`Bearer ${TOKEN}`);
  await clock.advance(1000);
  await expect(header("tickets@1")).rejects.toMatchObject({ code: "IDENTITY_REFERENCE_UNKNOWN" });
});

test("archiving purges payloads, keeps the audit, and frees the reference", async () => {
  const { vault, audit, bearer, store } = await setUp();
  await vault.add(acme, bearer);
  await vault.archive(acme, "tickets");
  expect(JSON.stringify(await store.get("acme", "credential", "vault://default/tickets"))).not.toContain("sealed");
  expect((await audit.read(acme)).map(({ entry }) => entry.action)).toEqual(["credential.add", "credential.archive"]);
  expect((await vault.add(acme, bearer)).versions).toHaveLength(1);
});

test("a tenant's key rotates and the master key is exchanged without touching payloads", async () => {
  const first = await setUp();
  await first.vault.add(acme, first.bearer);
  await first.keyring.rotate("acme");
  expect(await first.vault.rewrap(acme)).toEqual({ rewrapped: 1 });
  const next = `${first.file}.next`;
  await createKeyFile(next);
  await first.keyring.rewrap(new KeyFileWrapper({ path: next }));
  const second = await setUp(first.database, next);
  await expect(second.injector.inject(acme, "tickets", first.request)).resolves.toBeDefined();
  expect(await second.audit.verify(acme)).toMatchObject({ intact: true });
});

test("a missing, malformed or wrong key file is one clear error", async () => {
  const { store, file, database, vault, bearer } = await setUp();
  await vault.add(acme, bearer);
  const check = (path: string) => new Keyring({ store, wrapper: new KeyFileWrapper({ path }) }).check();
  await check(file);
  await expect(check("/nonexistent/key")).rejects.toMatchObject({ code: "IDENTITY_KEY_MISSING" });
  await expect(check(import.meta.filename)).rejects.toMatchObject({ code: "IDENTITY_KEY_MISSING" });
  const other = await setUp();
  await expect(check(other.file)).rejects.toMatchObject({ code: "IDENTITY_KEY_MISMATCH" });
  await expect(createKeyFile(file)).rejects.toMatchObject({ code: "IDENTITY_CONFLICT" });
  expect(database.open).toBe(true);
});

hostile("a reference is used for another tenant, agent or host, or over plain http", {
  control: "the same call by the bound principal to the bound host succeeds",
  async unguarded() {
    const { vault, injector, request, bearer } = await setUp();
    await vault.add(acme, { ...bearer, principals: { agents: ["triage"] } });
    await expect(injector.inject(acme, "tickets", request)).resolves.toBeDefined();
  },
  async guarded() {
    const { vault, injector, request, bearer, audit } = await setUp();
    await vault.add(acme, { ...bearer, principals: { agents: ["triage"] } });
    const other = { principal: { tenant: "other", agent: "triage" } };
    const cases = [
      [other, request.url, "IDENTITY_REFERENCE_UNKNOWN"],
      [{ principal: { tenant: "acme", agent: "writer" } }, request.url, "IDENTITY_REFERENCE_DENIED"],
      [acme, "https://evil.example/", "IDENTITY_REFERENCE_DENIED"],
      [acme, "https://api.example.com.evil.example/", "IDENTITY_REFERENCE_DENIED"],
      [acme, "https://api.example.com:8443/", "IDENTITY_REFERENCE_DENIED"],
      [acme, "http://api.example.com/", "IDENTITY_REFERENCE_DENIED"],
    ] as const;
    for (const [context, url, code] of cases) {
      const attempt = injector.inject(context, "tickets", { ...request, url });
      await expect(attempt, url).rejects.toMatchObject({ code });
    }
    expect((await audit.read(acme)).filter(({ entry }) => entry.decision === "deny")).toHaveLength(5);
  },
});

hostile("ciphertext is moved to another row, or the binding of a row is changed, in the database", {
  control: "sealed without additional data, a moved ciphertext opens in the other row; rows left alone open",
  async unguarded() {
    const key = createSecretKey(randomBytes(32));
    const rows = new Map(["mine", "theirs"].map((id) => [id, encrypt(key, Buffer.from(id), Buffer.alloc(0))]));
    rows.set("mine", rows.get("theirs") ?? Buffer.alloc(0));
    expect(decrypt(key, rows.get("mine") ?? Buffer.alloc(0), Buffer.alloc(0)).toString()).toBe("theirs");
    const { vault, injector, request, bearer } = await setUp();
    await vault.add(acme, bearer);
    await expect(injector.inject(acme, "tickets", request)).resolves.toBeDefined();
  },
  async guarded() {
    const changes = ["replace(body, 'api.example.com', 'evil.example')", "(SELECT body FROM b)"];
    for (const change of changes) {
      const { vault, injector, request, bearer, database } = await setUp();
      await vault.add(acme, bearer);
      await vault.add(acme, { ...bearer, reference: "second" });
      database.exec(
        `WITH b AS (SELECT replace(body, 'second', 'tickets') body FROM identity_records WHERE id LIKE '%second')
         UPDATE identity_records SET body = ${change} WHERE id LIKE '%tickets'`,
      );
      const url = change.includes("evil") ? "https://evil.example/" : request.url;
      await expect(injector.inject(acme, "tickets", { ...request, url })).rejects.toMatchObject({
        code: "IDENTITY_CIPHERTEXT_REFUSED",
      });
    }
  },
});

hostile("audit rows are changed, dropped or cut off", {
  control: "the untouched chain verifies",
  async unguarded() {
    const { vault, bearer, audit } = await setUp();
    await vault.add(acme, bearer);
    expect(await audit.verify(acme)).toMatchObject({ intact: true, rows: 1 });
  },
  async guarded() {
    const attacks = [
      ["UPDATE identity_audit SET entry = replace(entry, 'deny', 'allow') WHERE seq = 2", 2],
      ["DELETE FROM identity_audit WHERE seq = 2", 2],
      ["DELETE FROM identity_audit WHERE seq = 3", 3],
    ] as const;
    for (const [attack, seq] of attacks) {
      const { vault, bearer, injector, request, audit, database } = await setUp();
      await vault.add(acme, bearer);
      await injector.inject(acme, "tickets", { ...request, url: "https://evil.example/" }).catch(() => {});
      await injector.inject(acme, "tickets", request);
      const whole = await audit.verify(acme);
      const anchor = whole.intact ? whole.head : undefined;
      database.exec(attack);
      expect(await audit.verify(acme, anchor && { anchor }), attack).toMatchObject({ intact: false, seq });
    }
  },
});
