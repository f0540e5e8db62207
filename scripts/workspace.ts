import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root: string = fileURLToPath(new URL("..", import.meta.url));

/** Runs a program in the terminal; its exit code. */
export const run = (program: string, args: readonly string[], cwd: string): number =>
  spawnSync(program, args, { cwd, stdio: "inherit" }).status ?? 1;

/** Installs a folder that has a lockfile of its own, so that the root stays light; ends the process where it cannot. */
export function install(folder: string): void {
  const alone = existsSync(join(folder, "pnpm-workspace.yaml")) ? [] : ["--ignore-workspace"];
  const status = run("npx", ["-y", "pnpm@12", "install", ...alone, "--prefer-offline", "--silent"], folder);
  if (status !== 0) process.exit(status);
}

/** A program of such a folder. */
export const programOf = (folder: string, name: string): string => join(folder, "node_modules/.bin", name);
