#!/usr/bin/env node
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { AuditLog } from "../audit-log.ts";
import type { CredentialDescription, CredentialSecret } from "../credential.ts";
import { IdentityError } from "../errors.ts";
import type { SqliteDatabase } from "../internal/sqlite.ts";
import { createKeyFile, KeyFileWrapper } from "../key-file.ts";
import { Keyring } from "../keyring.ts";
import { SqliteAuditStore, SqliteIdentityStore } from "../sqlite/index.ts";
import { Vault } from "../vault.ts";

const USAGE = `ashlar-vault <command> --database FILE --key FILE --tenant NAME

  init                                  make the key file
  add REFERENCE --host HOST...          a bearer token from standard input,
      [--secret-file FILE]              or any kind as JSON: {"kind":"basic","username":…,"password":…}
  list
  rotate REFERENCE [--grace-ms N]       the new value from standard input or --secret-file
  archive REFERENCE
  audit verify

A secret is never an argument and never printed.`;

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      database: { type: "string", default: "identity.db" },
      key: { type: "string", default: "identity.key" },
      tenant: { type: "string", default: "default" },
      host: { type: "string", multiple: true, default: [] },
      "secret-file": { type: "string" },
      "grace-ms": { type: "string", default: "0" },
      help: { type: "boolean", default: false },
    },
  });
  const [command, reference = ""] = positionals;
  if (values.help || command === undefined) return console.log(USAGE);
  if (command === "init") {
    await createKeyFile(values.key);
    return console.log(`${values.key} is the key of every secret from now on: keep a copy apart from the database.`);
  }
  const database = openDatabase(values.database);
  const store = new SqliteIdentityStore({ database });
  const keyring = new Keyring({ store, wrapper: new KeyFileWrapper({ path: values.key }) });
  const audit = new AuditLog({ store: new SqliteAuditStore({ database }), keyring });
  const vault = new Vault({ store, keyring, audit });
  const context = { principal: { tenant: values.tenant } };
  await keyring.check();
  switch (`${command}${command === "audit" ? ` ${reference}` : ""}`) {
    case "add": {
      const secret = await readSecret(values["secret-file"]);
      return show(await vault.add(context, { reference, hosts: values.host, secret }));
    }
    case "rotate": {
      const secret = await readSecret(values["secret-file"]);
      return show(await vault.rotate(context, reference, secret, { graceMs: Number(values["grace-ms"]) }));
    }
    case "archive":
      return show(await vault.archive(context, reference));
    case "list": {
      let cursor: string | undefined;
      do {
        const page = await vault.list(context, cursor === undefined ? {} : { cursor });
        for (const each of page.items) show(each);
        cursor = page.cursor;
      } while (cursor !== undefined);
      return;
    }
    case "audit verify": {
      const verdict = await audit.verify(context);
      console.log(JSON.stringify(verdict));
      if (!verdict.intact) process.exitCode = 1;
      return;
    }
    default:
      throw new IdentityError("IDENTITY_INVALID", `There is no command ${command}. See ashlar-vault --help.`);
  }
}

function openDatabase(path: string): SqliteDatabase {
  const Database = createRequire(import.meta.url)("better-sqlite3") as new (path: string) => SqliteDatabase;
  const database = new Database(path);
  database.pragma("journal_mode = WAL");
  return database;
}

async function readSecret(path: string | undefined): Promise<CredentialSecret> {
  if (path === undefined && process.stdin.isTTY) {
    throw new IdentityError("IDENTITY_INVALID", "Pipe the secret in, or name a --secret-file.");
  }
  const given = (path === undefined ? await text(process.stdin) : await readFile(path, "utf8")).replace(/\r?\n$/, "");
  if (!given.startsWith("{")) return { kind: "bearer", token: given };
  try {
    return JSON.parse(given) as CredentialSecret;
  } catch {
    throw new IdentityError("IDENTITY_INVALID", "What was given starts like JSON but is none.");
  }
}

function show({ reference, kind, hosts, versions, archivedAt }: CredentialDescription): void {
  const version = versions.at(-1)?.version ?? 0;
  const state = archivedAt === undefined ? `version ${version}` : "archived";
  console.log([reference, kind, state, hosts.join(" ")].join("\t"));
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : "failed");
  process.exitCode = 1;
});
