import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { type ParseArgsConfig, parseArgs } from "node:util";
import { type AuditAnchor, AuditLog } from "../audit-log.ts";
import type { CredentialDescription, CredentialSecret, Surface } from "../credential.ts";
import { IdentityError } from "../errors.ts";
import { parseJson } from "../internal/parse.ts";
import type { SqliteDatabase } from "../internal/sqlite.ts";
import { createKeyFile, KeyFileWrapper } from "../key-file.ts";
import { Keyring } from "../keyring.ts";
import { SqliteAuditStore, SqliteIdentityStore } from "../sqlite/index.ts";
import { Vault } from "../vault.ts";

export interface Terminal {
  /** All of standard input; `undefined` when a person sits at it. */
  input(): Promise<string | undefined>;
  print(line: string): void;
  complain(line: string): void;
}

const USAGE = `ashlar-vault <command> --database FILE --key FILE --tenant NAME

  init                                  make the key file
  add REFERENCE --host HOST...          a bearer token from standard input,
      [--secret-file FILE]              or any kind as JSON: {"kind":"basic","username":…,"password":…}
      [--surface IN:NAME...]            where it may stand: header:x-api-key, query:key, body:/key, environment:KEY
      [--agent NAME...] [--user NAME...]  who may use it; without these everybody of the tenant
  list
  rotate REFERENCE [--grace-ms N]       the new value from standard input or --secret-file
  archive REFERENCE
  audit verify [--anchor SEQ:HASH]      the chain is whole, and still holds the point that an earlier run printed

A secret is never an argument and never printed.`;

const options = {
  database: { type: "string", default: "identity.db" },
  key: { type: "string", default: "identity.key" },
  tenant: { type: "string", default: "default" },
  host: { type: "string", multiple: true, default: [] as string[] },
  surface: { type: "string", multiple: true, default: [] as string[] },
  agent: { type: "string", multiple: true, default: [] as string[] },
  user: { type: "string", multiple: true, default: [] as string[] },
  "secret-file": { type: "string" },
  "grace-ms": { type: "string", default: "0" },
  anchor: { type: "string" },
  help: { type: "boolean", default: false },
} satisfies ParseArgsConfig["options"];

/** Runs one command and returns the exit code. */
export async function commandLine(given: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await run(given, terminal);
  } catch (error) {
    terminal.complain(IdentityError.is(error) ? error.message : "The command failed. See ashlar-vault --help.");
    return 1;
  }
}

async function run(given: readonly string[], terminal: Terminal): Promise<number> {
  const { command, reference, values } = read(given);
  if (values.help || command === undefined) {
    terminal.print(USAGE);
    return 0;
  }
  if (command === "init") {
    await createKeyFile(values.key);
    terminal.print(`${values.key} is the key of every secret from now on: keep a copy apart from the database.`);
    return 0;
  }
  const { vault, audit, close } = await open(values);
  const context = { principal: { tenant: values.tenant } };
  const show = (each: CredentialDescription) => terminal.print(line(each));
  try {
    switch (command) {
      case "add": {
        const { host: hosts, agent: agents, user: users } = values;
        const principals = { ...(agents.length > 0 && { agents }), ...(users.length > 0 && { users }) };
        const surfaces = values.surface.map(surface);
        const secret = await readSecret(values["secret-file"], terminal);
        const bound = {
          ...(surfaces.length > 0 && { surfaces }),
          ...(agents.length + users.length > 0 && { principals }),
        };
        show(await vault.add(context, { reference, hosts, secret, ...bound }));
        return 0;
      }
      case "rotate": {
        const secret = await readSecret(values["secret-file"], terminal);
        show(await vault.rotate(context, reference, secret, { graceMs: Number(values["grace-ms"]) }));
        return 0;
      }
      case "archive":
        show(await vault.archive(context, reference));
        return 0;
      case "list": {
        let cursor: string | undefined;
        do {
          const page = await vault.list(context, cursor === undefined ? {} : { cursor });
          page.items.forEach(show);
          cursor = page.cursor;
        } while (cursor !== undefined);
        return 0;
      }
      case "audit verify": {
        const verdict = await audit.verify(
          context,
          values.anchor === undefined ? {} : { anchor: anchor(values.anchor) },
        );
        terminal.print(JSON.stringify(verdict));
        return verdict.intact ? 0 : 1;
      }
    }
  } finally {
    close();
  }
}

const COMMANDS = { init: 0, add: 1, list: 0, rotate: 1, archive: 1, "audit verify": 0 } as const;
type Command = keyof typeof COMMANDS;

/** What is not understood is not repeated: it could be a secret in the wrong place. */
function read(given: readonly string[]) {
  const { positionals, values } = (() => {
    try {
      return parseArgs({ args: [...given], allowPositionals: true, options });
    } catch {
      throw invalid("There is an option that is not known, or one without its value. See ashlar-vault --help.");
    }
  })();
  const two = positionals.slice(0, 2).join(" ");
  const name = two in COMMANDS ? two : positionals[0];
  if (values.help || name === undefined) return { command: undefined, reference: "", values };
  if (!Object.hasOwn(COMMANDS, name)) throw invalid("There is no such command. See ashlar-vault --help.");
  const command = name as Command;
  const rest = positionals.slice(command.split(" ").length);
  if (rest.length !== COMMANDS[command]) {
    throw invalid(
      `${command} takes ${COMMANDS[command] === 0 ? "no argument" : "one argument, the reference"}. A secret comes by standard input: one that stood in a command may be in the shell's history, and has to be rotated.`,
    );
  }
  return { command, reference: rest[0] ?? "", values };
}

/** Nothing is made on disk before the key is there. */
async function open({ database: path, key }: { readonly database: string; readonly key: string }) {
  const wrapper = new KeyFileWrapper({ path: key });
  await wrapper.wrap("", new Uint8Array(32));
  const Database = createRequire(import.meta.url)("better-sqlite3") as new (
    path: string,
  ) => SqliteDatabase & { close(): void };
  const database = new Database(path);
  const durability = "full";
  const store = new SqliteIdentityStore({ database, durability });
  const keyring = new Keyring({ store, wrapper });
  const audit = new AuditLog({ store: new SqliteAuditStore({ database, durability }), keyring });
  await keyring.check();
  return { vault: new Vault({ store, keyring, audit }), audit, close: () => database.close() };
}

async function readSecret(path: string | undefined, { input }: Terminal): Promise<CredentialSecret> {
  const read = path === undefined ? input() : readFile(path, "utf8");
  const given = await read.catch(() => {
    throw invalid("The secret file cannot be read.");
  });
  if (given === undefined) throw invalid("Pipe the secret in, or name a --secret-file.");
  const secret = given.replace(/\r?\n$/, "");
  if (!secret.startsWith("{")) return { kind: "bearer", token: secret };
  return parseJson(secret, "What was given starts like JSON but") as CredentialSecret;
}

function surface(text: string): Surface {
  const at = text.indexOf(":");
  return { in: text.slice(0, at) as Surface["in"], name: text.slice(at + 1) };
}

function anchor(text: string): AuditAnchor {
  const [, seq, hash] = /^(\d+):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq === undefined || hash === undefined) throw invalid("An anchor has the form SEQ:HASH.");
  return { seq: Number(seq), hash };
}

function line({ reference, kind, hosts, versions, archivedAt }: CredentialDescription): string {
  const version = versions.at(-1)?.version ?? 0;
  const state = archivedAt === undefined ? `version ${version}` : "archived";
  return [reference, kind, state, hosts.join(" ")].join("\t");
}

const invalid = (message: string): IdentityError => new IdentityError("IDENTITY_INVALID", message);
