import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { LongFirst } from "./test/support/long-first.ts";

/** The programs that tests start read what an earlier one compiled. */
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL("node_modules/.cache/compiled", import.meta.url));

const conditions = ["@ashlar/source", "module", "node", "development|production"];
const resolve = { ssr: { resolve: { conditions, externalConditions: conditions } } };

/** On CI's busy machines a test that fails is tried again; the reporter names it. At a desk it fails at once. */
const retry = process.env.CI === undefined ? 0 : 2;

const packages = readdirSync(new URL("packages", import.meta.url)).map((name) => ({
  ...resolve,
  test: {
    name,
    root: `packages/${name}`,
    include: ["src/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    retry,
  },
}));

export default defineConfig({
  test: {
    projects: [
      ...packages,
      {
        ...resolve,
        test: {
          name: "house",
          root: "test",
          include: ["**/*.test.ts"],
          testTimeout: 240_000,
          hookTimeout: 60_000,
          retry,
        },
      },
    ],
    // Much of the suite waits for programs that it started: one worker would leave the second core idle.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    sequence: { sequencer: LongFirst },
    reporters: ["default", "./test/support/reporter.ts"],
    coverage: { include: ["packages/*/src/**/*.ts"], exclude: ["**/*.test.ts", "**/*.test-d.ts", "**/*.bench.ts"] },
  },
});
