import { readdirSync } from "node:fs";
import { defineConfig } from "vitest/config";

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
    reporters: ["default", "./test/support/reporter.ts"],
    coverage: { include: ["packages/*/src/**/*.ts"], exclude: ["**/*.test.ts", "**/*.test-d.ts", "**/*.bench.ts"] },
  },
});
