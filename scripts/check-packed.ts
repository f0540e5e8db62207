/** What a publisher checks: publint and attw on every tarball, then `test/packed.test.ts`. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const release = join(root, "release");
const room = mkdtempSync(join(tmpdir(), "ashlar-pack-"));

function run(command: string, args: readonly string[], cwd: string): void {
  const { status } = spawnSync(command, args, { cwd, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

run("tsc", ["-b"], root);
run("npx", ["-y", "pnpm@12", "install", "--silent"], release);
for (const name of readdirSync(join(root, "packages"))) {
  run("npx", ["-y", "pnpm@12", "pack", "--pack-destination", room], join(root, "packages", name));
}
for (const tarball of readdirSync(room)) {
  const path = join(room, tarball);
  console.log(`\n${tarball}`);
  run(join(release, "node_modules/.bin/publint"), ["--strict", path], release);
  run(join(release, "node_modules/.bin/attw"), ["--profile", "esm-only", path], release);
}
rmSync(room, { recursive: true });
run("vitest", ["run", "--project", "house", "packed"], root);
