import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { presentEngines } from "../fixtures/engines.ts";

test("the suites hold under node:test on every backend, bare, cached and traced", async () => {
  const program = fileURLToPath(new URL("../fixtures/conformance-program.ts", import.meta.url));
  const child = spawn(
    process.execPath,
    ["--conditions=@ashlar/source", "--disable-warning=ExperimentalWarning", "--test-reporter=tap", program],
    { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, NODE_OPTIONS: "" } },
  );
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  await new Promise((resolve) => child.once("exit", resolve));
  const failures = output.split("\n").filter((line) => line.startsWith("not ok"));
  expect(failures).toEqual([]);
  const laws = output.split("\n").filter((line) => /^ok \d+ - \S+ (?:bare|cached|traced): /.test(line));
  expect(new Set(laws.map((line) => line.split(" ")[3])).size).toBe(presentEngines().length);
  expect(laws.length % (3 * presentEngines().length)).toBe(0);
  expect(laws.length).toBeGreaterThan(40 * presentEngines().length);
});
