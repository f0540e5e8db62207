/**
 * Runs `<folder>/<name>/main.ts` (or `<folder>/<name>.ts`) with the rest of the arguments. A folder with a
 * `package.json` of its own keeps heavy peers out of the root: it is installed by the run that needs it.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { install, root, run } from "./workspace.ts";

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

if (existsSync(join(own, "package.json"))) install(own);
process.exitCode = run(
  process.execPath,
  ["--conditions=@ashlar/source", "--disable-warning=ExperimentalWarning", entry, ...rest],
  process.cwd(),
);
