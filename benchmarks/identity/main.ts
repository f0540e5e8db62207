/**
 * What a credential costs on its way out, against the bare decryption of the same bytes and one bare commit of an audit
 * row's text; what a token and a decision cost.
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AgentTokens,
  AuditLog,
  createKeyFile,
  Injector,
  KeyFileWrapper,
  Keyring,
  KeyringSealer,
  type Policy,
  PolicyPermissions,
  Revocations,
  SigningKeys,
  Vault,
} from "@ashlar/identity";
import { CedarPermissions } from "@ashlar/identity/cedar";
import { SqliteAuditStore, SqliteIdentityStore } from "@ashlar/identity/sqlite";
import Database from "better-sqlite3";
import { interleaved, report, round, spread, timeEach } from "../support/measure.ts";

/** Cedar is a peer of the package, so it is found from there. */
const { isAuthorized } = createRequire(import.meta.resolve("@ashlar/identity"))("@cedar-policy/cedar-wasm/nodejs") as {
  isAuthorized(call: object): { readonly type: string; readonly response?: { readonly decision: string } };
};
const RUNS = 2000;
const folder = await mkdtemp(join(tmpdir(), "ashlar-bench-identity-"));
const database = new Database(join(folder, "identity.db"));
await createKeyFile(join(folder, "key"));

const store = new SqliteIdentityStore({ database });
const keyring = new Keyring({ store, wrapper: new KeyFileWrapper({ path: join(folder, "key") }) });
const audit = new AuditLog({ store: new SqliteAuditStore({ database }), keyring });
const vault = new Vault({ store, keyring, audit });
const injector = new Injector({ store, keyring, audit });
const context = { principal: { tenant: "acme", agent: "triage", session: "ses_1" } };
const token = randomBytes(1536).toString("base64url");
await vault.add(context, { reference: "api", hosts: ["api.example.com"], secret: { kind: "bearer", token } });

const request = { method: "GET", url: "https://api.example.com/v1/things", headers: { accept: "application/json" } };
const key = randomBytes(32);
const nonce = randomBytes(12);
const cipher = createCipheriv("aes-256-gcm", key, nonce);
const sealed = Buffer.concat([cipher.update(token), cipher.final()]);
const tag = cipher.getAuthTag();

database.exec("CREATE TABLE bare (seq INTEGER PRIMARY KEY, entry TEXT NOT NULL) STRICT");
const insert = database.prepare("INSERT INTO bare (entry) VALUES (?)");
const entry = JSON.stringify((await audit.read(context))[0]);

const median = async (body: () => unknown): Promise<number> =>
  spread(await timeEach(RUNS, body, { warmup: 500 })).p50 * 1000;
const injection = await interleaved(5, {
  inject: () => median(() => injector.inject(context, "api", request)),
  decrypt: () =>
    median(() => {
      const decipher = createDecipheriv("aes-256-gcm", key, nonce).setAuthTag(tag);
      return Buffer.concat([decipher.update(sealed), decipher.final()]).toString();
    }),
  commit: () => median(() => insert.run(entry)),
});

const sealer = new KeyringSealer({ keyring });
const kept = await sealer.seal(context, Buffer.from(token), "bench");
const audience = "bench";
const revocations = new Revocations({ store });
const tokens = new AgentTokens({ keys: new SigningKeys({ store, keyring }), revocations, issuer: "https://me" });
const fresh = await Promise.all(Array.from({ length: 5 * (RUNS + 500) }, () => tokens.issue(context, { audience })));
const known = await tokens.issue(context, { audience });
let next = 0;
const crypto = await interleaved(5, {
  open: () => median(() => sealer.open(context, kept, "bench")),
  verify: () => median(() => tokens.verify(fresh[next++] ?? known, { audience })),
  cached: () => median(() => tokens.verify(known, { audience })),
});

const POLICIES = 1000;
const MATCHING = 60;
const policies: Policy[] = Array.from({ length: POLICIES }, (_, index) => ({
  id: `p${index}`,
  effect: index % 7 === 0 ? "ask" : "allow",
  actions: [index < MATCHING ? "tool.call" : `tool.other_${index}`],
  resources: [`tickets_${index}`, "refund*"],
  when: [{ path: "/amount", atMost: index }],
}));
const permissions = new PolicyPermissions({ policies });
const decisions = spread(
  await timeEach(5000, (run) =>
    permissions.decide(context, { action: "tool.call", resource: "refund_customer", arguments: { amount: run % 90 } }),
  ),
);

const CEDAR_POLICIES = 11;
const cedarText = Array.from(
  { length: CEDAR_POLICIES },
  (
    _,
    index,
  ) => `@id("p${index}") permit(principal, action == Action::"tool.call", resource == Resource::"tickets_${index}")
    when { context.arguments has amount && context.arguments.amount <= ${index} };`,
).join("\n");
const cedarPermissions = new CedarPermissions({ policies: cedarText });
const amount = CEDAR_POLICIES - 1;
const resource = `tickets_${amount}`;
const cedar = await interleaved(5, {
  preparsed: () =>
    median(async () => {
      const { effect } = await cedarPermissions.decide(context, {
        action: "tool.call",
        resource,
        arguments: { amount },
      });
      if (effect !== "allow") throw new Error("Cedar must allow this.");
    }),
  parsedPerCall: () =>
    median(() => {
      const answer = isAuthorized({
        principal: { type: "Agent", id: "triage" },
        action: { type: "Action", id: "tool.call" },
        resource: { type: "Resource", id: resource },
        context: { tenant: "acme", agent: "triage", session: "ses_1", arguments: { amount } },
        policies: { staticPolicies: cedarText },
        entities: [],
      });
      if (answer.response?.decision !== "allow") throw new Error("Cedar must allow this.");
    }),
});

const injectP50Us = injection.inject.p50;
report(
  "identity",
  [
    {
      measure: "inject and audit, p50 µs",
      median: round(injectP50Us),
      min: round(injection.inject.min),
      max: round(injection.inject.max),
    },
    {
      measure: "bare decrypt of 2 KiB, p50 µs",
      median: round(injection.decrypt.p50),
      min: round(injection.decrypt.min),
      max: round(injection.decrypt.max),
    },
    {
      measure: "bare commit of an audit row's text, p50 µs",
      median: round(injection.commit.p50),
      min: round(injection.commit.min),
      max: round(injection.commit.max),
    },
    ...(
      [
        ["open", "open 2 KiB under the tenant's key, p50 µs"],
        ["verify", "verify an ES256 agent token, p50 µs"],
        ["cached", "verify it again, from the cache, p50 µs"],
      ] as const
    ).map(([each, measure]) => ({
      measure,
      median: round(crypto[each].p50),
      min: round(crypto[each].min),
      max: round(crypto[each].max),
    })),
    ...(["preparsed", "parsedPerCall"] as const).map((each) => ({
      measure: `Cedar decision over ${CEDAR_POLICIES} policies, ${each === "preparsed" ? "parsed once" : "parsed per call"}, p50 µs`,
      median: round(cedar[each].p50),
      min: round(cedar[each].min),
      max: round(cedar[each].max),
    })),
    { measure: "decision, p99 ms", median: round(decisions.p99), min: round(decisions.min), max: round(decisions.max) },
  ],
  {
    injectP50Us: round(injectP50Us),
    ratioToBareDecrypt: round(injectP50Us / injection.decrypt.p50),
    ratioToBareDecryptAndCommit: round(injectP50Us / (injection.decrypt.p50 + injection.commit.p50)),
    policyP99Ms: round(decisions.p99),
    policies: POLICIES,
    matchingPolicies: MATCHING,
    openP50Us: round(crypto.open.p50),
    verifyP50Us: round(crypto.verify.p50),
    cachedVerifyP50Us: round(crypto.cached.p50),
    cedarP50Us: round(cedar.preparsed.p50),
    cedarParsedPerCallP50Us: round(cedar.parsedPerCall.p50),
    cedarRatio: round(cedar.parsedPerCall.p50 / cedar.preparsed.p50),
  },
);
database.close();
await rm(folder, { recursive: true, force: true });
