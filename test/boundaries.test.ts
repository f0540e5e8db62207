import { globSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const names = readdirSync(join(root, "packages"));

/** What a file of a package does that the house forbids; `file` is relative to the root. */
function violations(file: string, source: string): readonly string[] {
  const [, owner = ""] = file.split("/");
  const home = resolve(root, "packages", owner);
  /** Fixtures are in no tarball: only tests load them. */
  const isTest = /\.test(-d)?\.ts$/.test(file) || file.includes("/fixtures/");
  /** Programs that run inside a sandbox and load what the code in there asks for. */
  const isGuest = file.includes("/src/guest/programs/");
  const found: string[] = [];
  for (const [, , literal = ""] of source.matchAll(/(["'`])((?:@ashlar\/|\.{1,2}\/)[^"'`\n]*)\1/g)) {
    if (literal.startsWith("@ashlar/")) {
      const spelled = literal.slice("@ashlar/".length).split(/[/:]/)[0];
      if (spelled !== owner && names.includes(spelled ?? "")) found.push(`names ${literal}`);
    } else if (!resolve(root, dirname(file), literal).startsWith(`${home}/`) && !isTest) {
      found.push(`reaches out of its package: ${literal}`);
    }
  }
  for (const [, argument = ""] of source.matchAll(
    /(?<!async |[.#\w])(?:await import|require|import\.meta\.resolve)\(\s*([^)]*)/g,
  )) {
    const isDeclaration = /^[{\w][^"'`]*:\s/.test(argument); // of a method that happens to be called `require`
    if (/^["'][^"']*["']\s*,?\s*$/.test(argument) || argument === "" || isTest || isGuest || isDeclaration) continue;
    if (!/^[A-Za-z_$][\w.$]*\s*$/.test(argument)) found.push(`imports what cannot be read: ${argument}`);
  }
  const usesInversify = /(?:from|import\()\s*["'](?:inversify|reflect-metadata|@inversifyjs)/.test(source);
  if (usesInversify && !file.includes("/src/inversify/") && !isTest)
    found.push("loads inversify outside of src/inversify");
  return found;
}

describe("packages never import each other", () => {
  for (const name of names) {
    test(name, () => {
      const files = globSync("src/**/*.{ts,tsx,js,mjs}", { cwd: join(root, "packages", name) });
      const found = files.flatMap((file) => {
        const path = relative(root, join(root, "packages", name, file));
        return violations(path, readFileSync(join(root, path), "utf8")).map((violation) => `${path} ${violation}`);
      });
      expect(files.length).toBeGreaterThan(0);
      expect(found).toEqual([]);
    });

    test(`${name} depends on no neighbour`, () => {
      const manifest = readFileSync(join(root, "packages", name, "package.json"), "utf8");
      const { name: own, ...rest } = JSON.parse(manifest);
      expect(own).toBe(`@ashlar/${name}`);
      expect(JSON.stringify(rest)).not.toMatch(/"@ashlar\/(?!source)/);
    });
  }
});

test.for([
  ['import { Vault } from "@ashlar/identity";', "names @ashlar/identity"],
  ["const { Vault } = await import('@ashlar/identity/sqlite');", "names @ashlar/identity/sqlite"],
  ['require("@ashlar/identity")', "names @ashlar/identity"],
  ['export * from "../../identity/src/index.ts";', "reaches out of its package: ../../identity/src/index.ts"],
  ['await import("@ashlar/" + name)', 'imports what cannot be read: "@ashlar/" + name'],
  ['import { Container } from "inversify";', "loads inversify outside of src/inversify"],
] as const)("the check finds %s", ([source, violation]) => {
  expect(violations("packages/memory/src/planted.ts", source)).toContain(violation);
});
