/** The protocol's own referee against a fixture, once as it is and once behind the gateway. */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { anyone, Gateway, mcpTarget } from "../../packages/gateway/src/index.ts";
import { serve } from "../../packages/gateway/src/node/index.ts";
import { fixture } from "./fixture.ts";

const referee = fileURLToPath(new URL("node_modules/@modelcontextprotocol/conformance/dist/index.js", import.meta.url));
const revisions = ["2026-07-28", "2025-11-25"];
const verbose = process.argv.includes("--verbose");

interface Outcome {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
}

async function judge(url: string, revision: string): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), "ashlar-conformance-"));
  const run = spawn(
    process.execPath,
    [referee, "server", "--url", url, "--requirements", revision, "--timeout", "5000", "-o", folder],
    { stdio: verbose ? "inherit" : "ignore" },
  );
  await new Promise((resolve) => run.once("exit", resolve));
  const passed: string[] = [];
  const failed: string[] = [];
  for (const entry of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (!entry.endsWith("checks.json")) continue;
    const checks = JSON.parse(readFileSync(join(folder, entry), "utf8")) as readonly { readonly status: string }[];
    const name = entry.replace(/^server-/, "").replace(/-\d{4}-\d{2}-\d{2}T.*$/, "");
    const sound = checks.length > 0 && checks.every(({ status }) => status !== "FAILURE" && status !== "WARNING");
    (sound ? passed : failed).push(name);
  }
  await rm(folder, { recursive: true, force: true });
  return { passed, failed };
}

const upstream = await serve({ fetch: fixture, drain: async () => {} });
const gateway = new Gateway({
  authenticator: anyone({ tenant: "referee" }),
  targets: [mcpTarget({ name: "fixture", url: `${upstream.url}/mcp` })],
  allow: [new URL(upstream.url).host],
  origins: { hosts: ["127.0.0.1", "localhost"] },
});
const door = await serve(gateway);

let passed = 0;
let failed = 0;
for (const revision of revisions) {
  const direct = await judge(`${upstream.url}/mcp`, revision);
  const behind = await judge(`${door.url}/mcp`, revision);
  const lost = behind.failed.filter((name) => direct.passed.includes(name));
  const gained = behind.passed.filter((name) => !direct.passed.includes(name));
  console.log(`${revision} fixture alone: ${direct.passed.length} passed, ${direct.failed.length} failed`);
  console.log(`${revision} pass-through: ${behind.passed.length} passed, ${behind.failed.length} failed`);
  console.log(`  lost behind the gateway: ${lost.sort().join(", ") || "none"}`);
  console.log(`  only behind the gateway: ${gained.sort().join(", ") || "none"}`);
  console.log(`  failed: ${[...behind.failed].sort().join(", ") || "none"}`);
  passed += behind.passed.length;
  failed += behind.failed.length;
}
console.log(`${passed} passed, ${failed} failed`);
await door.close({ graceMs: 0 });
await upstream.close({ graceMs: 0 });
await gateway.close();
process.exitCode = failed > 0 ? 1 : 0;
