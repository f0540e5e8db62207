/** What a publisher checks: publint and attw on every tarball, then `test/packed.test.ts`. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { install, programOf, root, run } from "./workspace.ts";

const release = join(root, "release");
const room = mkdtempSync(join(tmpdir(), "ashlar-pack-"));

function must(program: string, args: readonly string[], cwd: string): void {
  const status = run(program, args, cwd);
  if (status !== 0) process.exit(status);
}

must("tsc", ["-b"], root);
install(release);
for (const name of readdirSync(join(root, "packages"))) {
  must("npx", ["-y", "pnpm@12", "pack", "--pack-destination", room], join(root, "packages", name));
}
for (const tarball of readdirSync(room)) {
  const path = join(room, tarball);
  console.log(`\n${tarball}`);
  must(programOf(release, "publint"), ["--strict", path], release);
  must(programOf(release, "attw"), ["--profile", "esm-only", path], release);
}
rmSync(room, { recursive: true });
must("vitest", ["run", "--project", "house", "packed"], root);
