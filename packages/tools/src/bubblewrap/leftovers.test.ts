import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "vitest";
import { ownPrefix, sweep } from "./leftovers.ts";

test.runIf(process.platform === "linux")("only what a dead process of this namespace left is swept", () => {
  const folder = mkdtempSync(join(tmpdir(), "sweep-"));
  const dead = spawnSync("/bin/true").pid;
  const mine = `${ownPrefix()}a`;
  const left = mine.replace(`-${process.pid}-`, `-${dead}-`);
  const foreign = `ashlar-1-${dead}-a`;
  for (const name of [mine, left, foreign, "other"]) mkdirSync(join(folder, name));
  sweep(folder, rmdirSync);
  assert.deepEqual(readdirSync(folder).sort(), [foreign, mine, "other"].sort());
  for (const name of readdirSync(folder)) rmdirSync(join(folder, name));
  rmdirSync(folder);
});
