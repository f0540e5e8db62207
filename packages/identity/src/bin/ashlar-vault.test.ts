import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { createKeyFile } from "../key-file.ts";
import { findSecret } from "../testing/canary.ts";
import { commandLine } from "./command-line.ts";

async function vaultIn(folder: string) {
  const printed: string[] = [];
  const files = ["--database", join(folder, "identity.db"), "--key", join(folder, "identity.key")];
  const vault = async (input: string | undefined, ...given: string[]) => {
    const lines: string[] = [];
    const code = await commandLine([...given, ...files], {
      input: async () => input,
      print: (line) => lines.push(line),
      complain: (line) => lines.push(line),
    });
    printed.push(...lines);
    return { code, text: lines.join("\n") };
  };
  return { vault, printed };
}

const folder = () => mkdtemp(join(tmpdir(), "ashlar-vault-"));

test("a secret goes in by standard input or a file, and no command prints it", async () => {
  const cwd = await folder();
  const { vault, printed } = await vaultIn(cwd);
  expect((await vault("", "list")).text).toContain("cannot be read");
  expect(existsSync(join(cwd, "identity.db"))).toBe(false);
  expect((await vault("", "init")).code).toBe(0);
  expect((await vault("", "init")).text).toContain("exists already");
  expect((await vault("canary-token-1\n", "add", "api", "--host", "api.example.com")).code).toBe(0);
  expect((await vault('{"kind":"bearer","token":"canary-token-2"}', "rotate", "api")).text).toContain("version 2");
  expect((await vault('{"canary-token-3', "add", "bad", "--host", "api.example.com")).code).toBe(1);
  expect((await vault(undefined, "add", "bad", "--host", "api.example.com")).text).toContain("Pipe the secret in");
  await writeFile(join(cwd, "secret"), "canary-token-4");
  const bound = ["--surface", "header:x-api-key", "--surface", "environment:KEY", "--agent", "triage"];
  const from = ["--secret-file", join(cwd, "secret"), "--host", "*.example.com"];
  expect((await vault(undefined, "add", "key", ...from, ...bound)).code).toBe(0);
  expect((await vault("", "list")).text).toBe(
    "vault://default/api\tbearer\tversion 2\tapi.example.com\nvault://default/key\tbearer\tversion 1\t*.example.com",
  );
  expect((await vault("", "archive", "api")).text).toContain("archived");
  for (let number = 1; number <= 4; number++)
    expect(findSecret(printed.join("\n"), `canary-token-${number}`)).toEqual([]);
});

test("what is not understood is refused and not repeated, and writes nothing", async () => {
  const { vault, printed } = await vaultIn(await folder());
  await vault("", "init");
  await vault("canary-token-1", "add", "api", "--host", "api.example.com");
  for (const wrong of [
    ["add", "other", "canary-token-5", "--host", "api.example.com"],
    ["canary-token-5"],
    ["list", "canary-token-5"],
    ["add", "other", "--token", "canary-token-5"],
    ["add", "other", "--canary-token-5"],
    ["add", "canary token 5", "--host", "api.example.com"],
    ["add", "other", "--host", "api.example.com", "--surface", "canary-token-5"],
    ["rotate", "api", "--grace-ms", "canary-token-5"],
    ["audit", "canary-token-5"],
    ["audit", "verify", "--anchor", "canary-token-5"],
  ]) {
    expect((await vault("canary-token-6", ...wrong)).code, wrong.join(" ")).toBe(1);
  }
  expect(printed.join("\n")).not.toContain("canary");
  expect((await vault("", "list")).text).toBe("vault://default/api\tbearer\tversion 1\tapi.example.com");
});

test("the audit is verified against an anchor that was kept, and a cut chain fails", async () => {
  const cwd = await folder();
  const { vault } = await vaultIn(cwd);
  await vault("", "init");
  await vault("canary-token-1", "add", "api", "--host", "api.example.com");
  await vault("canary-token-2", "rotate", "api");
  const { head, rows } = JSON.parse((await vault("", "audit", "verify")).text);
  expect(rows).toBe(2);
  const anchored = ["audit", "verify", "--anchor", `${head.seq}:${head.hash}`];
  expect((await vault("", ...anchored)).code).toBe(0);
  const database = new Database(join(cwd, "identity.db"));
  database.exec("DELETE FROM identity_audit WHERE seq = 2");
  database.close();
  expect((await vault("", "audit", "verify")).code).toBe(0);
  expect((await vault("", ...anchored)).code).toBe(1);
});

test("the program reads its own standard input and says by its exit code how it went", async () => {
  const cwd = await folder();
  const bin = fileURLToPath(new URL("ashlar-vault.ts", import.meta.url));
  const flags = ["--conditions=@ashlar/source", "--disable-warning=ExperimentalWarning", bin];
  const vault = (input: string, ...given: string[]) =>
    spawnSync(process.execPath, [...flags, ...given], { cwd, input, encoding: "utf8" });
  await createKeyFile(join(cwd, "identity.key"));
  const added = vault("canary-token-1\n", "add", "api", "--host", "api.example.com");
  expect([added.status, added.stdout]).toEqual([0, "vault://default/api\tbearer\tversion 1\tapi.example.com\n"]);
  expect(vault("", "unknown").status).toBe(1);
});
