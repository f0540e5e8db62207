import { spawnSync } from "node:child_process";
import { realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";

const PYTHON = ["/usr/bin/python3", "/usr/local/bin/python3", "/opt/homebrew/bin/python3"] as const;
const NODE = ["/usr/bin/node", "/usr/local/bin/node"] as const;

/** Real interpreters by absolute path, each asked for its version: what stands on `PATH` may be a shim. */
export function findPython(candidates: readonly string[] = PYTHON): string | undefined {
  return candidates.find((path) =>
    answers(path, ["-I", "-S", "-c", "import sys; sys.exit(sys.version_info < (3, 9))"]),
  );
}

export function findNode(candidates: readonly string[] = [process.execPath, ...NODE]): string | undefined {
  const script = "process.exit(typeof require('node:module').stripTypeScriptTypes === 'function' ? 0 : 1)";
  return candidates
    .filter((path) => answers(path, ["-e", script]))
    .map((path) => realpathSync(path))
    .find(isOpenToOthers);
}

/** The user inside is not the one outside: a program in a home folder that is closed to others cannot be shown. */
function isOpenToOthers(path: string): boolean {
  for (let at = path; ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

function answers(path: string, args: readonly string[]): boolean {
  return spawnSync(path, args, { env: {}, stdio: "ignore", timeout: 5000 }).status === 0;
}
