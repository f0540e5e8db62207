import { execFileSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");
const pages = execFileSync("git", ["ls-files", "*.md"], { cwd: root, encoding: "utf8" }).trim().split("\n");

describe("links to files lead somewhere", () => {
  for (const page of pages) {
    test(page, () => {
      const links = [...read(page).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)/g)].map(([, link = ""]) => link);
      expect(links.filter((link) => !existsSync(join(root, dirname(page), decodeURIComponent(link))))).toEqual([]);
    });
  }
});

test("every command that the README names exists", () => {
  const { scripts } = JSON.parse(read("package.json"));
  const named = [...read("README.md").matchAll(/npx -y pnpm@12 ([\w:]+)(?: ([\w-]+))?/g)];
  expect(named.length).toBeGreaterThan(5);
  for (const [, script = "", argument] of named) {
    expect(Object.keys(scripts)).toContain(script);
    const folder = /scripts\/task\.ts (\S+)/.exec(scripts[script])?.[1];
    if (folder === undefined || argument === undefined || argument === "name") continue;
    expect(
      existsSync(join(root, folder, argument, "main.ts")) || existsSync(join(root, folder, `${argument}.ts`)),
      `${script} ${argument}`,
    ).toBe(true);
  }
});

test("the composition root of the main job stays a page", () => {
  expect(read("examples/ticket-resolver/container.ts").split("\n").length).toBeLessThan(120);
});

test("no document or source names this machine, a registry's host or the work behind it", () => {
  const files = [
    ...pages,
    ...globSync("{packages,examples,test,scripts,benchmarks,conformance}/**/*.ts", {
      cwd: root,
      exclude: ["**/node_modules/**", "**/dist/**"],
    }),
  ];
  const found = files.filter((file) =>
    /registry\.npmjs\.org|deb\.debian\.org/.test(read(file).replace(/\/\^?.*registry.*\//, "")),
  );
  expect(found.filter((file) => file !== "test/docs.test.ts")).toEqual([]);
});
