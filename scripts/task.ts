/**
 * Runs `<folder>/<name>/main.ts` (or `<folder>/<name>.ts`) with the rest of the arguments. A folder with a
 * `package.json` of its own keeps heavy peers out of the root: it is installed by the run that needs it.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const [folder = "", name = "", ...rest] = process.argv.slice(2);
const own = join(root, folder, name);
const entry = [join(own, "main.ts"), `${own}.ts`].find((path) => name !== "" && existsSync(path));

if (entry === undefined) {
  const names = readdirSync(join(root, folder), { withFileTypes: true })
    .filter((each) =>
      each.isDirectory() ? existsSync(join(root, folder, each.name, "main.ts")) : each.name.endsWith(".ts"),
    )
    .map((each) => each.name.replace(/\.ts$/, ""));
  console.error(`${name === "" ? "Which one?" : `There is no ${name}.`} One of: ${names.sort().join(", ")}`);
  process.exit(2);
}

const run = (command: string, args: readonly string[], cwd: string): number =>
  spawnSync(command, args, { cwd, stdio: "inherit" }).status ?? 1;

if (existsSync(join(own, "package.json"))) {
  const alone = existsSync(join(own, "pnpm-workspace.yaml")) ? [] : ["--ignore-workspace"];
  const status = run("npx", ["-y", "pnpm@12", "install", ...alone, "--prefer-offline", "--silent"], own);
  if (status !== 0) process.exit(status);
}
process.exitCode = run(
  process.execPath,
  ["--conditions=@ashlar/source", "--disable-warning=ExperimentalWarning", entry, ...rest],
  process.cwd(),
);
