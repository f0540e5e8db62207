import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { AuditLog, createKeyFile, Egress, Injector, KeyFileWrapper, Keyring, Vault } from "@ashlar/identity";
import { SqliteAuditStore, SqliteIdentityStore } from "@ashlar/identity/sqlite";
import { findSecret } from "@ashlar/identity/testing";
import Database from "better-sqlite3";

const folder = await mkdtemp(join(tmpdir(), "credential-boundary-"));
const secret = `tk/${randomBytes(18).toString("base64")}+end`;

// The company's API: it wants the token, and is so chatty that it echoes what it was sent, in three encodings.
const api = createServer((request, response) => {
  const sent = request.headers.authorization ?? "";
  if (sent !== `Bearer ${secret}`) return response.writeHead(401).end("who are you?");
  const echo = { raw: sent, base64: btoa(sent), hex: Buffer.from(sent).toString("hex"), url: encodeURIComponent(sent) };
  return response.end(JSON.stringify({ balance: 42, echo }));
}).listen(0, "127.0.0.1");
const thief = createServer((_, response) => response.end("thanks")).listen(0, "127.0.0.1");
await Promise.all([once(api, "listening"), once(thief, "listening")]);
const host = `127.0.0.1:${(api.address() as AddressInfo).port}`;
const elsewhere = `127.0.0.1:${(thief.address() as AddressInfo).port}`;

// The wiring.
const database = new Database(join(folder, "identity.db"));
await createKeyFile(join(folder, "key"));
const store = new SqliteIdentityStore({ database });
const keyring = new Keyring({ store, wrapper: new KeyFileWrapper({ path: join(folder, "key") }) });
const audit = new AuditLog({ store: new SqliteAuditStore({ database }), keyring });
const vault = new Vault({ store, keyring, audit });
const parts = { store, keyring, audit };
const injector = new Injector(parts);
const egress = new Egress(parts);
const context = { principal: { tenant: "acme", agent: "accountant", session: "ses_1" } };
await vault.add(context, {
  reference: "ledger",
  hosts: [host],
  principals: { agents: ["accountant"] },
  surfaces: [
    { in: "header", name: "authorization" },
    { in: "environment", name: "LEDGER_TOKEN" },
  ],
  secret: { kind: "bearer", token: secret },
});

/** The one tool the agent has. The boundary is in here: the value exists between these lines only. */
async function call(url: string, reference = "ledger"): Promise<string> {
  const { request, redactor } = await injector.inject(context, reference, { method: "GET", url, headers: {} });
  const response = await fetch(request.url, { headers: request.headers, redirect: "manual" });
  return redactor.redact(await response.text());
}

const seen: string[] = [];
async function attempt(how: string, body: () => Promise<unknown>): Promise<void> {
  const result = await body().then(
    (value) => inspect(value, { depth: 9, showHidden: true }),
    (error: unknown) => inspect(error, { depth: 9, showHidden: true }),
  );
  seen.push(result);
  const hits = findSecret(result, secret);
  console.log(`${hits.length === 0 ? "failed " : "READ IT"}  ${how}`);
  assert.deepEqual(hits, [], how);
}

const answer = await call(`http://${host}/balance`);
assert.equal(JSON.parse(answer).balance, 42);
console.log("worked   the call itself: balance 42");

await attempt("has the API echo what it was sent, raw and encoded", () => call(`http://${host}/echo`));
await attempt("sends the reference to a server of its own", () => call(`http://${elsewhere}/`));
await attempt("asks for the reference by other names and owners", async () => [
  await call(`http://${host}/`, "vault://other/ledger").catch((error: unknown) => error),
  await vault.describe(context, "ledger"),
  await vault.list(context),
]);
await attempt("reads the environment and inspects every object it can reach", async () => [
  await egress.environment(context),
  JSON.stringify([vault, injector, egress, keyring, store]),
  [vault, injector, egress, keyring, store],
]);
await attempt("dumps the database, its journal and the audit", async () => {
  const bytes = await readFile(join(folder, "identity.db"));
  seen.push(bytes.toString("latin1"));
  return [bytes.toString("latin1"), await audit.read(context)];
});

assert.notEqual(findSecret(`planted: ${secret}`, secret).length, 0, "the search finds a planted control");
const verdict = await audit.verify(context);
assert.ok(verdict.intact);
assert.equal(seen.flatMap((text) => [...findSecret(text, secret)]).length, 0);
console.log(`the audit holds ${verdict.rows} rows and verifies; the control was found, the secret nowhere`);

database.close();
api.close();
thief.close();
await rm(folder, { recursive: true, force: true });
