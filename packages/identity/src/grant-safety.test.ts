import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import type { EndedGrant } from "./consent-requests.ts";
import { type IdentityProviderOptions, startIdentityProvider } from "./fixtures/identity-provider.ts";
import { alice, calendar, installation, movableClock } from "./fixtures/installation.ts";
import { createKeyFile, KeyFileWrapper } from "./key-file.ts";
import { SqliteIdentityStore } from "./sqlite/index.ts";

const child = fileURLToPath(new URL("fixtures/refresh-and-die.ts", import.meta.url));

/** Two consents, an ended token, and a process killed with SIGKILL after the server answered and before the save. */
async function killedAtTheSave(options: IdentityProviderOptions) {
  const provider = await startIdentityProvider(options);
  const folder = await mkdtemp(join(tmpdir(), "ashlar-identity-"));
  const [path, key] = [join(folder, "identity.db"), join(folder, "key")];
  await createKeyFile(key);
  const database = new Database(path);
  database.pragma("journal_mode = WAL");
  const clock = movableClock();
  const asked: EndedGrant[] = [];
  const consents = { request: async (_: unknown, ended: EndedGrant) => void asked.push(ended) };
  const store = new SqliteIdentityStore({ database, clock });
  const mine = installation({ store, clock, consents, wrapper: new KeyFileWrapper({ path: key }) });
  for (const reference of ["calendar", "mail"]) {
    await mine.vault.add(alice, { ...calendar(provider.issuer), reference });
    await mine.agree(alice, reference);
  }
  const first = await mine.header(alice, "calendar");
  clock.ahead = 60_000;
  const before = provider.served.length;
  const dying = spawn(process.execPath, ["--conditions=@ashlar/source", child, path, key, String(clock.ahead)]);
  const [, signal] = await once(dying, "exit");
  expect(signal).toBe("SIGKILL");
  expect(provider.served.slice(before)).toEqual(["refresh_token"]);
  clock.ahead = 180_000;
  const close = async () => {
    database.close();
    await provider.close();
  };
  return { ...mine, provider, first, asked, close };
}

test.each([
  ["does not rotate refresh tokens", { rotate: false }],
  ["rotates them with a leeway", { rotate: true, leeway: true }],
])("killed between a refresh and its save, no grant is lost where the server %s", async (_, options) => {
  const { header, first, asked, close } = await killedAtTheSave(options);
  const next = await header(alice, "calendar");
  expect(next).toMatch(/^Bearer /);
  expect(next).not.toBe(first);
  expect(asked).toEqual([]);
  await close();
});

test("where it rotates strictly, the new token died with the process: that one user is asked at once, and once", async () => {
  const { header, agree, connections, provider, asked, close } = await killedAtTheSave({ rotate: true });
  const refused = { code: "IDENTITY_CONSENT_REQUIRED" };
  const before = provider.served.length;
  const calls = Array.from({ length: 20 }, () => expect(header(alice, "calendar")).rejects.toMatchObject(refused));
  await Promise.all(calls);
  await expect(header(alice, "calendar")).rejects.toMatchObject(refused);
  expect(asked).toEqual([{ reference: "vault://default/calendar", interrupted: true }]);
  expect(await connections.list(alice)).toMatchObject([
    { reference: "vault://default/calendar", state: "ended" },
    { reference: "vault://default/mail", state: "connected" },
  ]);
  expect(await header(alice, "mail")).toMatch(/^Bearer /);
  expect(provider.served.slice(before)).toEqual(["refresh_token"]);
  await agree(alice, "calendar");
  expect(await header(alice, "calendar")).toMatch(/^Bearer /);
  await close();
});

test("a consent request that cannot be sent is left to the next call", async () => {
  const provider = await startIdentityProvider();
  let attempts = 0;
  const consents = {
    async request() {
      attempts += 1;
      if (attempts === 1) throw new Error("the mail server is away");
    },
  };
  const { vault, agree, flows, header, clock, store } = installation({ consents });
  await vault.add(alice, calendar(provider.issuer));
  await agree(alice, "calendar");
  const [grant] = (await store.list("acme", "grant")).items;
  await flows.revoke(alice, "calendar");
  await store.put("acme", "grant", grant?.id ?? "", { body: grant?.body ?? null, expected: 0 });
  await clock.advance(60_000);
  for (let call = 0; call < 3; call++) {
    await expect(header(alice, "calendar")).rejects.toMatchObject({ code: "IDENTITY_CONSENT_REQUIRED" });
  }
  expect(attempts).toBe(2);
  await provider.close();
});
