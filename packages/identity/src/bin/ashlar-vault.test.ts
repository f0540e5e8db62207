import { spawnSync } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const bin = fileURLToPath(new URL("ashlar-vault.ts", import.meta.url));

test("a secret goes in by standard input, and no command prints it", async () => {
  const cwd = await mkdtemp(join(tmpdir(), "ashlar-vault-"));
  let printed = "";
  const vault = (input: string, ...args: string[]) => {
    const flags = ["--conditions=@ashlar/source", "--disable-warning=ExperimentalWarning"];
    const run = spawnSync(process.execPath, [...flags, bin, ...args], { cwd, input, encoding: "utf8" });
    printed += run.stdout + run.stderr;
    return run;
  };
  expect(vault("", "list").stderr).toContain("cannot be read");
  expect(vault("", "init").status).toBe(0);
  expect(vault("", "init").stderr).toContain("exists already");
  expect(vault("canary-token-1\n", "add", "api", "--host", "api.example.com").status).toBe(0);
  expect(vault('{"kind":"bearer","token":"canary-token-2"}', "rotate", "api").stdout).toContain("version 2");
  expect(vault('{"canary-token-3', "add", "bad", "--host", "api.example.com").status).toBe(1);
  expect(vault("", "list").stdout).toBe("vault://default/api\tbearer\tversion 2\tapi.example.com\n");
  expect(vault("", "archive", "api").stdout).toContain("archived");
  expect(JSON.parse(vault("", "audit", "verify").stdout)).toMatchObject({ intact: true, rows: 3 });
  expect(vault("", "unknown").status).toBe(1);
  expect(printed).not.toContain("canary-token");
});
