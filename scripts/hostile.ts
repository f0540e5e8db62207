/** Runs every test and writes `docs/hostile-cases.md` from what they showed. */
import { spawnSync } from "node:child_process";

const run = spawnSync("vitest", ["run"], {
  stdio: "inherit",
  env: { ...process.env, ASHLAR_REQUIRE_ALL: "1", ASHLAR_HOSTILE_DOCUMENT: "write" },
});
process.exitCode = run.status ?? 1;
