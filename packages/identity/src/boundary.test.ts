import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { hostile } from "../../../test/support/hostile.ts";
import * as cedar from "./cedar/index.ts";
import * as root from "./index.ts";
import * as redis from "./redis/index.ts";
import * as sqlite from "./sqlite/index.ts";
import { ephemeralWrapper } from "./testing/ephemeral-wrapper.ts";
import { findSecret, secretEncodings } from "./testing/index.ts";

const TOKEN = "tok_9f/+canary~value~7";
const PASSPHRASE = 'correct "horse" canary + battery';
const TRANSIT = "hvs.the/canary+of-the-transit";
const context = { principal: { tenant: "acme", agent: "triage", session: "ses_1", user: "alice" } };
const host = "api.example.com";

/** One of each exported class, after it has handled secrets. */
async function used() {
  const folder = await mkdtemp(join(tmpdir(), "ashlar-identity-"));
  const path = join(folder, "key");
  await root.createKeyFile(path);
  const store = new root.InMemoryIdentityStore();
  const keyFile = new root.KeyFileWrapper({ path });
  const keyring = new root.Keyring({ store, wrapper: keyFile });
  const auditStore = new root.InMemoryAuditStore();
  const audit = new root.AuditLog({ store: auditStore, keyring });
  const guard = new root.LeakGuard([TOKEN]);
  const vault = new root.Vault({ store, keyring, audit });
  const injector = new root.Injector({ store, keyring, audit, guard });
  const egress = new root.Egress({ store, keyring, audit, guard });
  const secret = { kind: "bearer", token: TOKEN } as const;
  const added = await vault.add(context, { reference: "tickets", hosts: [host], secret });
  const { redactor } = await injector.inject(context, "tickets", {
    method: "GET",
    url: `https://${host}/`,
    headers: {},
  });
  const placeholder = await egress.placeholder(context, "tickets");
  const headers = { authorization: `Bearer ${placeholder}` };
  await egress.substitute(context, { method: "GET", url: `https://${host}/`, headers });
  const error = await vault.add(context, { reference: "tickets", hosts: [host], secret }).catch((caught) => caught);
  const passphrase = new root.PassphraseWrapper({ passphrase: PASSPHRASE });
  await passphrase.wrap("acme", Buffer.alloc(32));
  const database = new Database(":memory:");
  const sqliteStore = new sqlite.SqliteIdentityStore({ database });
  const sqliteVault = new root.Vault({
    store: sqliteStore,
    keyring: new root.Keyring({ store: sqliteStore, wrapper: keyFile }),
    audit,
  });
  await sqliteVault.add(context, { reference: "tickets", hosts: [host], secret });
  const keys = new root.SigningKeys({ store, keyring });
  const revocations = new root.Revocations({ store });
  const tokens = new root.AgentTokens({ keys, revocations, issuer: "https://me" });
  await tokens.issue(context, { audience: "api" });
  const sealer = new root.KeyringSealer({ keyring });
  await sealer.seal(context, Buffer.from(TOKEN), "browser");
  const client = {} as redis.RedisClient;
  const policies = new root.PolicyPermissions({ policies: [] });
  const flows = new root.OAuthFlows({ store, keyring, audit });
  const keychain = new root.KeychainWrapper({
    entry: { getPassword: () => readFile(path, "utf8"), setPassword: async () => {} },
  });
  await keychain.wrap("acme", Buffer.alloc(32));
  const kms = { encrypt: async () => ({}), decrypt: async () => ({}) };
  const transit = new root.VaultTransitWrapper({ address: "https://vault.example", key: "a", token: () => TRANSIT });
  const instances: readonly object[] = [
    store,
    keyFile,
    keyring,
    auditStore,
    audit,
    guard,
    vault,
    injector,
    egress,
    error,
    passphrase,
    sqliteStore,
    keys,
    revocations,
    tokens,
    sealer,
    policies,
    transit,
    new sqlite.SqliteAuditStore({ database }),
    new redis.RedisIdentityStore({ redis: client }),
    new redis.RedisAuditStore({ redis: client }),
    new cedar.CedarPermissions({ policies: "" }),
    new root.IntersectedPermissions({ agent: policies }),
    keychain,
    new root.AwsKmsWrapper({ kms, keyId: "alias/a" }),
    new root.BearerAuthenticator({ tokens, audience: "api" }),
    flows,
    new root.OAuthCallback({ flows, context: () => undefined }),
    new root.Connections({ store, keyring }),
    new root.AuditedPermissions({ permissions: policies, audit }),
    new root.IssuerEndpoint({ keys, issuer: "https://me" }),
    new root.OAuthTokens({ store, keyring }),
    new root.ProtectedResources(),
    new root.TrustedIssuer({ issuer: "https://idp", audience: "api", principal: () => undefined }),
  ];
  const masterKey = (await readFile(path, "utf8")).trim();
  const results: readonly unknown[] = [
    added,
    redactor,
    await audit.read(context),
    await vault.list(context),
    await keys.jwks(),
  ];
  return { instances, results, secrets: [TOKEN, PASSPHRASE, TRANSIT, masterKey] };
}

/** Everything that a log line, a debugger's console or a serializer would show of a value. */
function shown(value: unknown): string {
  const everything = { depth: Number.POSITIVE_INFINITY, showHidden: true, getters: true, showProxy: true } as const;
  const options = { ...everything, maxArrayLength: null, maxStringLength: null };
  const seen = new WeakSet();
  const json = JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner !== "object" || inner === null) return typeof inner === "bigint" ? String(inner) : inner;
    if (seen.has(inner)) return undefined;
    seen.add(inner);
    return inner;
  });
  return [inspect(value, options), json, String(value), `${Object.entries(value as object).flat()}`].join("\n");
}

hostile("exported objects are inspected, stringified and serialized after they handled secrets", {
  control: "an object that keeps its secret in a field shows it in each of these ways",
  unguarded() {
    class Naive {
      readonly token = TOKEN;
    }
    expect(findSecret(inspect(new Naive()), TOKEN)).not.toEqual([]);
    expect(findSecret(JSON.stringify(new Naive()), TOKEN)).not.toEqual([]);
    expect(secretEncodings(TOKEN).size).toBeGreaterThan(10);
  },
  async guarded() {
    const { instances, results, secrets } = await used();
    for (const value of [...instances, ...results]) {
      const text = shown(value);
      for (const secret of secrets) expect(findSecret(text, secret), value?.constructor?.name).toEqual([]);
    }
  },
});

test("every exported class is among the inspected ones", async () => {
  const { instances } = await used();
  const classes = Object.values({ ...root, ...sqlite, ...redis, ...cedar }).filter(
    (each) => typeof each === "function" && /^class\b/.test(Function.prototype.toString.call(each)),
  );
  expect(classes.length).toBeGreaterThan(20);
  const inspected = new Set(instances.map((each) => each.constructor));
  expect(
    classes.filter((each) => !inspected.has(each as never)).map((each) => (each as { name: string }).name),
  ).toEqual([]);
});

hostile("the text `use vault://other` in a tool's arguments", {
  control: "a gateway that looks references up in what the model wrote sends the other credential",
  async unguarded() {
    const { injector, request } = await references();
    const wanted = /vault:\/\/[\w/-]+/.exec(request.url)?.[0] ?? "";
    const sent = await injector.inject(context, wanted, request);
    expect(sent.request.headers.authorization).toBe("Bearer the-other-canary-token");
  },
  async guarded() {
    const { injector, egress, request } = await references();
    const { request: sent } = await injector.inject(context, "tickets", request);
    expect(sent.headers.authorization).toBe(`Bearer ${TOKEN}`);
    const carried = (await egress.substitute(context, request)).request;
    for (const each of [sent, carried]) {
      expect(findSecret(JSON.stringify({ ...each, body: String(each.body) }), "the-other-canary-token")).toEqual([]);
      expect(String(each.body)).toContain("use vault://payments/other");
    }
    const elsewhere = { principal: { ...context.principal, agent: "writer" } };
    for (const text of [
      "vault://payments/owned",
      "use vault://payments/other",
      "vault://payments/../default/tickets",
    ]) {
      await expect(injector.inject(elsewhere, text, request), text).rejects.toMatchObject({
        code: expect.stringMatching(/^IDENTITY_(INVALID|REFERENCE_DENIED|REFERENCE_UNKNOWN)$/),
      });
    }
  },
});

async function references() {
  const store = new root.InMemoryIdentityStore();
  const keyring = new root.Keyring({ store, wrapper: ephemeralWrapper() });
  const audit = new root.AuditLog({ store: new root.InMemoryAuditStore(), keyring });
  const vault = new root.Vault({ store, keyring, audit });
  const other = { kind: "bearer", token: "the-other-canary-token" } as const;
  await vault.add(context, { reference: "tickets", hosts: [host], secret: { kind: "bearer", token: TOKEN } });
  await vault.add(context, { reference: "vault://payments/other", hosts: [host], secret: other });
  const principals = { agents: ["triage"] };
  await vault.add(context, { reference: "vault://payments/owned", hosts: [host], principals, secret: other });
  const request = {
    method: "POST",
    url: `https://${host}/search?q=vault://payments/other`,
    headers: { "content-type": "application/json", "x-note": "use vault://payments/other" },
    body: Buffer.from(JSON.stringify({ query: "use vault://payments/other" })),
  };
  return {
    injector: new root.Injector({ store, keyring, audit }),
    egress: new root.Egress({ store, keyring, audit }),
    request,
  };
}
