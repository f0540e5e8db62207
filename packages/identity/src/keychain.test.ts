import { spawnSync } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { describeWith, parts } from "../../../test/support/system-part.ts";
import { KeychainWrapper } from "./keychain.ts";

const program = fileURLToPath(new URL("fixtures/keychain-conformance.ts", import.meta.url));

describeWith([parts.secretService], "the keychain of the system", () => {
  test("keys kept in a real secret service pass the law of key wrappers", async () => {
    const home = await mkdtemp(join(tmpdir(), "ashlar-keychain-"));
    const unlocked = 'echo -n x | gnome-keyring-daemon --unlock --components=secrets >/dev/null && exec "$@"';
    const run = [process.execPath, "--conditions=@ashlar/source", "--disable-warning=ExperimentalWarning", program];
    const { stdout } = spawnSync("dbus-run-session", ["--", "sh", "-c", unlocked, "sh", ...run], {
      env: { PATH: process.env.PATH, HOME: home, XDG_RUNTIME_DIR: home },
      encoding: "utf8",
      timeout: 20_000,
    });
    const cases = stdout.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));
    expect(cases.length).toBe(3);
    expect(cases.filter(({ error }) => error !== null)).toEqual([]);
  });
});

const entry = (getPassword: () => Promise<string | null>) => ({ getPassword, setPassword: async () => {} });

test.each([
  ["is empty", entry(async () => null), "IDENTITY_KEY_MISSING"],
  ["holds something else", entry(async () => "hunter2"), "IDENTITY_KEY_MISSING"],
  ["cannot be opened", entry(async () => Promise.reject(new Error("locked"))), "IDENTITY_KEY_UNAVAILABLE"],
])("an entry that %s is one clear error, and what it holds is not in it", async (_, each, code) => {
  const wrapping = new KeychainWrapper({ entry: each }).wrap("a", new Uint8Array(32));
  await expect(wrapping).rejects.toMatchObject({ code, message: expect.not.stringContaining("hunter2") });
});
