/** The protocol's own referee: a fixture as it is and behind the gateway, several targets, the gateway as a client. */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { anyone, functionsTarget, Gateway, mcpTarget } from "../../packages/gateway/src/index.ts";
import { serve } from "../../packages/gateway/src/node/index.ts";
import { fixture } from "./fixture.ts";

const home = new URL("node_modules/@modelcontextprotocol/conformance/", import.meta.url);
const referee = fileURLToPath(new URL("dist/index.js", home));
const revisions = ["2026-07-28", "2025-11-25"];
/** What the gateway answers for itself, in front of several targets, without a name of the fixture in it. */
const nameless = ["server-initialize", "ping", "tools-list", "dns-rebinding-protection"];
const verbose = process.argv.includes("--verbose");

interface Check {
  readonly id: string;
  readonly status: string;
  readonly errorMessage?: string;
}

/** Scenarios by name: what is wrong with each, nothing when it passed. A warning counts as wrong. */
type Outcome = ReadonlyMap<string, readonly string[]>;

const client = `${process.execPath} --conditions=@ashlar/source ${fileURLToPath(new URL("client.ts", import.meta.url))}`;

/** `asked` says what is judged: a server's address, or the command of a client. */
async function judge(leg: "server" | "client", asked: readonly string[], revision: string): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), "ashlar-conformance-"));
  const run = spawn(
    process.execPath,
    [referee, leg, ...asked, "--requirements", revision, "--timeout", "60000", "-o", folder],
    { stdio: verbose ? "inherit" : "ignore" },
  );
  await new Promise((resolve) => run.once("exit", resolve));
  const outcome = new Map<string, readonly string[]>();
  for (const entry of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (!entry.endsWith("checks.json")) continue;
    const checks = JSON.parse(readFileSync(join(folder, entry), "utf8")) as readonly Check[];
    const wrong = checks.filter(({ status }) => status === "FAILURE" || status === "WARNING");
    const name = entry.replace(/^server-/, "").replace(/-\d{4}-\d{2}-\d{2}T.*$/, "");
    const said = wrong.map(({ id, errorMessage = "" }) => `${id}: ${errorMessage}`);
    outcome.set(name, checks.length === 0 ? ["nothing was checked"] : said);
  }
  await rm(folder, { recursive: true, force: true });
  return outcome;
}

/** What the revision requires of a server or a client, as the referee's own list has it. */
function required(revision: string, leg: "server" | "client"): readonly string[] {
  const list = readFileSync(new URL(`requirements/${revision}.yaml`, home), "utf8");
  const [, section = ""] = new RegExp(`^${leg}:\\n((?: {2}- .*\\n)+)`, "m").exec(list) ?? [];
  return section.split("\n").flatMap((line) => line.trim().replace(/^- /, "") || []);
}

const upstream = await serve({ fetch: fixture, drain: async () => {} });
const gateway = new Gateway({
  authenticator: anyone({ tenant: "referee" }),
  targets: [mcpTarget({ name: "fixture", url: `${upstream.url}/mcp` })],
  allow: [new URL(upstream.url).host],
  origins: { hosts: ["127.0.0.1", "localhost"] },
});
const door = await serve(gateway);
const clock = functionsTarget({
  name: "clock",
  tools: { now: { description: "The time", inputSchema: { type: "object" }, run: async () => "noon" } },
});
const several = new Gateway({
  authenticator: anyone({ tenant: "referee" }),
  targets: [mcpTarget({ name: "fixture", url: `${upstream.url}/mcp` }), clock],
  allow: [new URL(upstream.url).host],
  origins: { hosts: ["127.0.0.1", "localhost"] },
});
const severalDoor = await serve(several);

const fine = (outcome: Outcome, name: string): boolean => outcome.get(name)?.length === 0;

let passed = 0;
let failed = 0;
for (const revision of revisions) {
  const scenarios = required(revision, "server");
  const alone = await judge("server", ["--url", `${upstream.url}/mcp`], revision);
  const behind = await judge("server", ["--url", `${door.url}/mcp`], revision);
  const served = scenarios.filter((name) => fine(alone, name));
  const kept = served.filter((name) => fine(behind, name));
  console.log(`${revision} fixture alone: ${served.length} passed, ${scenarios.length - served.length} failed`);
  console.log(`${revision} pass-through: ${kept.length} passed, ${scenarios.length - kept.length} failed`);
  const beyond = [...alone.keys()].filter((name) => !scenarios.includes(name) && fine(alone, name));
  const beyondKept = beyond.filter((name) => fine(behind, name));
  console.log(`  not scored by the referee: ${beyondKept.length} of the ${beyond.length} that the fixture serves`);
  for (const name of [...scenarios.filter((each) => !kept.includes(each)), ...beyond]) {
    for (const reason of behind.get(name) ?? alone.get(name) ?? ["was not run"]) console.log(`  ${name}: ${reason}`);
  }
  const own = await judge("server", ["--url", `${severalDoor.url}/mcp`], revision);
  const mine = scenarios.filter((name) => nameless.includes(name));
  const ownPassed = mine.filter((name) => fine(own, name));
  console.log(`${revision} several targets: ${ownPassed.length} passed, ${mine.length - ownPassed.length} failed`);
  for (const name of mine) for (const reason of own.get(name) ?? ["was not run"]) console.log(`  ${name}: ${reason}`);
  const asClient = await judge("client", ["--command", client], revision);
  const wanted = required(revision, "client");
  const clientPassed = wanted.filter((name) => fine(asClient, name));
  console.log(`${revision} client: ${clientPassed.length} passed, ${wanted.length - clientPassed.length} failed`);
  for (const name of wanted) {
    for (const reason of asClient.get(name) ?? ["was not run"]) console.log(`  ${name}: ${reason}`);
  }
  passed += kept.length + ownPassed.length + clientPassed.length;
  failed += scenarios.length - kept.length + mine.length - ownPassed.length + wanted.length - clientPassed.length;
}
console.log(`${passed} passed, ${failed} failed`);
await door.close({ graceMs: 0 });
await severalDoor.close({ graceMs: 0 });
await upstream.close({ graceMs: 0 });
await several.close();
await gateway.close();
process.exit(failed > 0 ? 1 : 0);
