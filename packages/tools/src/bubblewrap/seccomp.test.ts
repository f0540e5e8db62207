import assert from "node:assert/strict";
import { test } from "vitest";
import { seccompFilter } from "./seccomp.ts";

test("the filter is made for x86-64 and aarch64 and for nothing else", () => {
  for (const architecture of ["x64", "arm64"]) assert.equal((seccompFilter(architecture)?.length ?? 1) % 8, 0);
  assert.equal(seccompFilter("mips"), undefined);
});
