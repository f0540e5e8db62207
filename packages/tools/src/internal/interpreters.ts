import { spawnSync } from "node:child_process";
import { realpathSync } from "node:fs";

const PYTHON = ["/usr/bin/python3", "/usr/local/bin/python3", "/opt/homebrew/bin/python3"] as const;
const NODE = ["/usr/bin/node", "/usr/local/bin/node"] as const;
const LIMIT_MS = 5_000;
const NODE_FOLDER = "/opt/node/bin";
/** For programs in a sandbox that has a root of its own. */
export const PATH_INSIDE: string = `${NODE_FOLDER}:/usr/local/bin:/usr/bin:/bin`;

/** Programs by absolute path, each asked who it really is: what stands on `PATH` or was named may be a shim. */
export interface Python {
  readonly program: string;
  /** The folder of its library, where that is not below `/usr`. */
  readonly home?: string;
}

export function findPython(candidates: readonly string[] = PYTHON): Python | undefined {
  const script = "import sys; print(sys.version_info >= (3, 9), sys.executable, sys.base_prefix, sep='\\n')";
  for (const path of candidates) {
    const [recent, program = "", home = ""] = ask(path, ["-I", "-S", "-c", script]).split("\n");
    if (recent === "True") return below(program) && below(home) ? { program } : { program, home };
  }
  return undefined;
}

export function findNode(candidates: readonly string[] = [process.execPath, ...NODE]): string | undefined {
  const script = "const m = require('node:module'); if (m.stripTypeScriptTypes) console.log(process.execPath)";
  for (const path of candidates) {
    const [program = ""] = ask(path, ["-e", script]).split("\n");
    if (program !== "") return realpathSync(program);
  }
  return undefined;
}

const below = (path: string): boolean => path === "/usr" || path.startsWith("/usr/");

function ask(path: string, args: readonly string[]): string {
  const { status, stdout } = spawnSync(path, args, {
    env: {},
    encoding: "utf8",
    timeout: LIMIT_MS,
    killSignal: "SIGKILL",
  });
  return status === 0 ? stdout : "";
}

/** Where a sandbox with a root of its own shows it: Node is one file, which may stand anywhere outside. */
export const nodeInside = (program: string): string => (below(program) ? program : `${NODE_FOLDER}/node`);
