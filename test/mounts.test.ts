import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { programOf, root } from "../scripts/workspace.ts";

const run = promisify(execFile);
const folder = join(root, "examples/mounts");

beforeAll(async () => {
  await run("npx", ["-y", "pnpm@12", "install", "--frozen-lockfile", "--prefer-offline"], { cwd: folder });
}, 180_000);

describe("a gateway mounted in another server", () => {
  test.each(["node", "hono", "express", "fastify"])("%s: answers its own calls and leaves the rest", async (name) => {
    const { stdout } = await run(process.execPath, ["--conditions=@ashlar/source", `${name}.ts`], { cwd: folder });
    expect(stdout.trim()).toBe("1970-01-01T00:00:00.000Z");
  });

  test("the four type-check", async () => {
    await run(programOf(root, "tsc"), ["-p", folder]);
  });
});
