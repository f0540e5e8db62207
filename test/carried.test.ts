import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { carried } from "../carried/manifest.ts";

const at = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

describe("carried files are byte-equal in every package", () => {
  for (const { file, to, packages } of carried) {
    for (const name of packages) {
      test(`packages/${name}/src/${to}`, () => {
        expect(readFileSync(at(`packages/${name}/src/${to}`), "utf8")).toBe(
          readFileSync(at(`carried/${file}`), "utf8"),
        );
      });
    }
  }
});

test("every package has its own copy or none: nothing carried is missing from the manifest", () => {
  const names = readdirSync(at("packages"));
  for (const { to, packages } of carried) {
    const holders = names.filter((name) => existsSync(at(`packages/${name}/src/${to}`)));
    expect(holders.toSorted(), to).toEqual([...packages].toSorted());
  }
});
