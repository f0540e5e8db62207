/** Writes the carried files into the packages; `--check` only compares. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { carried } from "../carried/manifest.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const check = process.argv.includes("--check");
let stale = 0;

for (const { file, to, packages } of carried) {
  const master = await readFile(join(root, "carried", file), "utf8");
  for (const name of packages) {
    const target = join(root, "packages", name, "src", to);
    if ((await readFile(target, "utf8").catch(() => "")) === master) continue;
    stale += 1;
    if (check) {
      console.error(`packages/${name}/src/${to} differs from carried/${file}: run pnpm sync`);
      continue;
    }
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, master);
    console.log(`wrote packages/${name}/src/${to}`);
  }
}
process.exitCode = check && stale > 0 ? 1 : 0;
