import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const room = mkdtempSync(join(tmpdir(), "ashlar-packed-"));
const names = readdirSync(join(root, "packages"));

beforeAll(() => {
  run("tsc", ["-b"], root);
});
afterAll(() => rmSync(room, { recursive: true, force: true }));

/** Each package packed as it would be published, in a folder of its own, with nothing but the peers it asks for. */
describe.each(names)("%s as published", (name) => {
  const manifest = JSON.parse(readFileSync(join(root, "packages", name, "package.json"), "utf8"));
  const subpaths = Object.keys(manifest.exports).filter((path) => path !== "./package.json");
  const example = firstExample(readFileSync(join(root, "packages", name, "README.md"), "utf8"));
  const optional: string[] = Object.keys(manifest.peerDependenciesMeta ?? {});
  const required = Object.keys(manifest.peerDependencies ?? {}).filter((peer) => !optional.includes(peer));
  const home = join(room, name);

  test("imports and runs its README's first example with only the peers that these need", () => {
    mkdirSync(home);
    writeFileSync(join(home, "package.json"), JSON.stringify({ private: true, type: "module" }));
    const tarball = run(
      "npx",
      ["-y", "pnpm@12", "pack", "--json", "--pack-destination", room],
      join(root, "packages", name),
    );
    const { filename, files } = JSON.parse(tarball) as { filename: string; files: readonly { path: string }[] };
    const shipped = files.map(({ path }) => path);
    expect(shipped.filter((path) => /\.test\.|\.tsbuildinfo$|fixtures\//.test(path))).toEqual([]);
    expect(shipped).toEqual(expect.arrayContaining(["README.md", "package.json", "dist/index.js", "dist/index.d.ts"]));

    const named = bareImports(example).filter((specifier) => optional.includes(specifier));
    install(home, [
      filename.startsWith("/") ? filename : join(room, filename),
      ...[...required, ...named].map((peer) => versioned(name, peer)),
    ]);
    writeFileSync(join(home, "main.mjs"), `await import(${JSON.stringify(manifest.name)});`);
    run(process.execPath, ["main.mjs"], home);
    writeFileSync(join(home, "example.ts"), example);
    expect(run(process.execPath, ["example.ts"], home).trim()).not.toBe("");
  });

  test("every subpath imports under plain Node and type-checks once its peers are there", () => {
    install(
      home,
      [...optional, "reflect-metadata", "@types/node", "@types/better-sqlite3"].map((peer) => versioned(name, peer)),
    );
    const load = subpaths.map((path) => `await import(${JSON.stringify(join(manifest.name, path))});`).join("\n");
    writeFileSync(join(home, "all.mjs"), load);
    run(process.execPath, ["all.mjs"], home);

    const imports = subpaths.map(
      (path, index) => `export * as part${index} from ${JSON.stringify(join(manifest.name, path))};`,
    );
    writeFileSync(join(home, "all.ts"), imports.join("\n"));
    const compilerOptions = {
      ...{ strict: true, noEmit: true, skipLibCheck: true, module: "nodenext", target: "es2023", types: ["node"] },
      lib: ["es2023", "esnext.disposable"],
    };
    writeFileSync(join(home, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["all.ts", "example.ts"] }));
    run("tsc", ["-p", "."], home);
  });
});

function firstExample(readme: string): string {
  const [, code = ""] = /```ts\n([\s\S]*?)```/.exec(readme) ?? [];
  if (code === "") throw new Error("The README has no first example.");
  return code;
}

function bareImports(source: string): readonly string[] {
  return [...source.matchAll(/from "([^".][^"]*)"/g)].map(([, specifier = ""]) =>
    specifier
      .split("/")
      .slice(0, specifier.startsWith("@") ? 2 : 1)
      .join("/"),
  );
}

/** The version that the workspace runs with, so that nothing newer is fetched. */
function versioned(name: string, dependency: string): string {
  const folders = [join(root, "packages", name, "node_modules"), join(root, "node_modules")];
  for (const folder of folders) {
    try {
      return `${dependency}@${JSON.parse(readFileSync(join(folder, dependency, "package.json"), "utf8")).version}`;
    } catch {}
  }
  throw new Error(`${dependency} is not installed for ${name}: it belongs in its devDependencies.`);
}

function install(folder: string, specifiers: readonly string[]): void {
  writeFileSync(
    join(folder, "pnpm-workspace.yaml"),
    "pmOnFail: ignore\nstrictDepBuilds: false\nautoInstallPeers: false\n",
  );
  run("npx", ["-y", "pnpm@12", "add", "--prefer-offline", "--ignore-scripts", ...specifiers], folder);
}

function run(command: string, args: readonly string[], cwd: string): string {
  const { NODE_OPTIONS: _, ...env } = process.env;
  try {
    return execFileSync(command, args, {
      cwd,
      env,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      maxBuffer: 1e8,
    });
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command} ${args.join(" ")} failed:\n${stdout}${stderr}`);
  }
}
