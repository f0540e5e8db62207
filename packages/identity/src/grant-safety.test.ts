import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { AuditLog } from "./audit-log.ts";
import { type Clock, systemClock } from "./dialect.ts";
import { CLIENT, consent, REDIRECT, startIdentityProvider } from "./fixtures/identity-provider.ts";
import { InMemoryAuditStore } from "./in-memory/index.ts";
import { Injector } from "./injector.ts";
import { guardedFetch } from "./internal/guarded-fetch.ts";
import { createKeyFile, KeyFileWrapper } from "./key-file.ts";
import { Keyring } from "./keyring.ts";
import { OAuthFlows } from "./oauth-flows.ts";
import { OAuthTokens } from "./oauth-tokens.ts";
import { SqliteIdentityStore } from "./sqlite/index.ts";
import { Vault } from "./vault.ts";

const alice = { principal: { tenant: "acme", agent: "triage", user: "alice" } };
const child = fileURLToPath(new URL("fixtures/refresh-and-die.ts", import.meta.url));

/** Two consents, an ended token, and a process killed with SIGKILL after the server answered and before the save. */
async function killedAtTheSave(rotate: boolean) {
  const provider = await startIdentityProvider({ rotate });
  const folder = await mkdtemp(join(tmpdir(), "ashlar-identity-"));
  const [path, key] = [join(folder, "identity.db"), join(folder, "key")];
  await createKeyFile(key);
  const database = new Database(path);
  database.pragma("journal_mode = WAL");
  let ahead = 0;
  const clock: Clock = { ...systemClock, now: () => Date.now() + ahead };
  const fetch = guardedFetch({ allow: ["127.0.0.1"] });
  const store = new SqliteIdentityStore({ database, clock });
  const keyring = new Keyring({ store, wrapper: new KeyFileWrapper({ path: key }), clock });
  const audit = new AuditLog({ store: new InMemoryAuditStore(), keyring, clock });
  const vault = new Vault({ store, keyring, audit, clock });
  const flows = new OAuthFlows({ store, keyring, audit, clock, fetch });
  const tokens = new OAuthTokens({ store, keyring, clock, fetch });
  const injector = new Injector({ store, keyring, audit, clock, tokens });
  const secret = {
    kind: "oauth2_authorization_code",
    issuer: provider.issuer,
    redirectUri: REDIRECT,
    scopes: ["openid", "offline_access", "read"],
    ...CLIENT,
  } as const;
  const grant = async (reference: string) =>
    flows.finish(alice, await consent((await flows.start(alice, reference)).url));
  for (const reference of ["calendar", "mail"]) {
    await vault.add(alice, { reference, hosts: ["api.example.com"], secret });
    await grant(reference);
  }
  const header = async (reference: string) => {
    const request = { method: "GET", url: "https://api.example.com/", headers: {} };
    return (await injector.inject(alice, reference, request)).request.headers.authorization;
  };
  const first = await header("calendar");
  ahead = 60_000;
  const before = provider.served.length;
  const dying = spawn(process.execPath, ["--conditions=@ashlar/source", child, path, key, String(ahead)]);
  const [, signal] = await once(dying, "exit");
  expect(signal).toBe("SIGKILL");
  expect(provider.served.slice(before)).toEqual(["refresh_token"]);
  ahead = 120_000;
  const close = async () => {
    database.close();
    await provider.close();
  };
  return { header, first, grant, close };
}

test("killed between a refresh and its save: no grant is lost where the older refresh token still counts", async () => {
  const { header, first, close } = await killedAtTheSave(false);
  const next = await header("calendar");
  expect(next).toMatch(/^Bearer /);
  expect(next).not.toBe(first);
  await close();
});

test("where the server rotates strictly that one grant asks for consent again, and nothing else is lost", async () => {
  const { header, grant, close } = await killedAtTheSave(true);
  await expect(header("calendar")).rejects.toMatchObject({ code: "IDENTITY_CONSENT_REQUIRED" });
  expect(await header("mail")).toMatch(/^Bearer /);
  await grant("calendar");
  expect(await header("calendar")).toMatch(/^Bearer /);
  await close();
});
