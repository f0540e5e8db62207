import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { describeWith, parts, type SystemPart } from "./support/system-part.ts";

const root = fileURLToPath(new URL("../examples", import.meta.url));
const room = mkdtempSync(join(tmpdir(), "ashlar-examples-"));
afterAll(() => rmSync(room, { recursive: true, force: true }));

/** The main job, the server and the one that waits for a person have tests of their own. */
const ownTests = new Set(["ticket-resolver", "server", "browser-session"]);
const names = readdirSync(root).filter((name) => !ownTests.has(name) && existsSync(join(root, name, "main.ts")));

const needs: Readonly<Record<string, readonly SystemPart[]>> = {
  "code-interpreter": [parts.bubblewrap, parts.dataScience],
};

for (const name of names) {
  describeWith(needs[name] ?? [], `examples/${name}`, () => {
    test("ends well by itself", async () => {
      const main = join(root, name, "main.ts");
      const run = promisify(execFile)(process.execPath, ["--conditions=@ashlar/source", main], {
        cwd: room,
        timeout: 60_000,
      });
      const { stdout } = await run;
      expect(stdout.trim()).not.toBe("");
    });

    test("says in a README what it shows", () => {
      expect(readFileSync(join(root, name, "README.md"), "utf8")).toMatch(/^# /);
    });
  });
}
