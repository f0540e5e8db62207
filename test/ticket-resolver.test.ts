import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SqliteTraceStore } from "@ashlar/observability/sqlite";
import Database from "better-sqlite3";
import { afterAll, describe, expect, test } from "vitest";
import { hostile } from "./support/hostile.ts";
import { storyProblems } from "./support/one-story.ts";
import { describeWith, parts } from "./support/system-part.ts";

const main = fileURLToPath(new URL("../examples/ticket-resolver/main.ts", import.meta.url));
const room = mkdtempSync(join(tmpdir(), "ashlar-main-job-"));
afterAll(() => rmSync(room, { recursive: true, force: true }));

interface Ran {
  readonly code: number | null;
  readonly output: string;
}

function start(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ran> {
  const { ANTHROPIC_API_KEY: _a, OPENAI_API_KEY: _o, OPENAI_BASE_URL: _u, NODE_OPTIONS: _n, ...own } = process.env;
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--conditions=@ashlar/source", main, ...args], {
      env: { ...own, ...environment },
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
    child.once("close", (code) => resolve({ code, output }));
  });
}

/** A PATH with everything but one program. */
function without(program: string): string {
  const folder = mkdtempSync(join(room, "path-"));
  for (const from of ["/bin", "/usr/bin"]) {
    for (const name of readdirSync(from)) {
      if (name === program) continue;
      try {
        symlinkSync(join(from, name), join(folder, name));
      } catch {}
    }
  }
  return folder;
}

describe("the main job", () => {
  test("without bubblewrap resolves the ticket in the weaker grade that the root allows, which it names", async () => {
    const { code, output } = await start([], { PATH: without("bwrap") });
    expect(output).toContain("sandbox: wasm, grade language");
    expect(output).toContain("not offered here: bash");
    expect(code, output).toBe(0);
  });

  test("other ticket data give another refund", async () => {
    const { code, output } = await start(["--ticket", "T-9430", "--no-crashes"]);
    expect(output).toContain("We have refunded 499.00 EUR (ch_23445)");
    expect(output).not.toContain("Dear Dr. Okafor");
    expect(code, output).toBe(0);
  });

  test("a refund over the policy's limit is not made, and the job says that it is not done", async () => {
    const { code, output } = await start(["--ticket", "T-9388", "--no-crashes"]);
    expect(output).toContain("no policy allows tool.call on tickets/refund_charge");
    expect(output).toContain("✗ 1 refund in the tickets database (none)");
    expect(code).toBe(1);
  });
});

describeWith([parts.redis], "the main job with its memory in Redis", () => {
  test("swaps one module and nothing else", async () => {
    const { code, output } = await start(["--memory", "redis", "--no-crashes"]);
    expect(output).toContain("memory: redis");
    expect(code, output).toBe(0);
  });
});

/** With its three crashes, once for all who look at what it left. */
const crashed = { folder: mkdtempSync(join(room, "crashed-")), ran: undefined as Promise<Ran> | undefined };
const runCrashed = (): Promise<Ran> => {
  crashed.ran ??= start(["--data", crashed.folder]);
  return crashed.ran;
};

describeWith([parts.redis, parts.postgres], "the main job past one machine", () => {
  test.each(["redis", "postgres"])("on %s a worker that is killed hands its session to another", async (profile) => {
    const { code, output } = await start(["--profile", profile]);
    expect(output).toContain(`sessions: ${profile}, workers: 2`);
    expect(output).toContain("✓ the runtime was killed 3 times (3)");
    expect(output).toContain("✓ each that was killed handed its session to another (worker ");
    expect(code, output).toBe(0);
  });
});

hostile("a crash between the refund's commit and its record", {
  control: "without the step's idempotency key the ticket system pays twice",
  async unguarded() {
    const { code, output } = await start(["--without-idempotency-key"]);
    expect(output).toContain("✗ 1 refund in the tickets database (2: ch_23413, ch_23413)");
    expect(code).toBe(1);
  },
  async guarded() {
    const { code, output } = await runCrashed();
    expect(output).toContain("scripted model");
    expect(output).toContain("✓ the runtime was killed 3 times (3)");
    expect(output).toContain("Dear Dr. Okafor, INV-78492 was charged twice. We have refunded 169.00 EUR");
    expect(output).toContain("✓ 1 refund in the tickets database (1: ch_23413)");
    expect(code, output).toBe(0);
  },
});

test("the session reads as one story, also across three kills and four workers", async () => {
  const { output } = await runCrashed();
  const session = /session (ses_\w+)/.exec(output)?.[1] ?? "";
  const [run = ""] = readdirSync(crashed.folder);
  const database = new Database(join(crashed.folder, run, "traces.db"), { readonly: false });
  const store = new SqliteTraceStore({ database });
  const context = { principal: { tenant: "acme" } };
  const traces = await store.list(context, { session });
  const spans = (await Promise.all(traces.items.map(({ traceId }) => store.trace(context, traceId)))).flat();
  database.close();
  expect(storyProblems(spans)).toEqual([]);
  const turns = spans.filter(({ scope, name }) => scope === "ashlar.runtime" && name.startsWith("invoke_agent "));
  expect(turns.map(({ attributes, open }) => [attributes["ashlar.session.crashes"], open === true])).toEqual([
    [0, true],
    [1, true],
    [2, true],
    [3, false],
  ]);

  const [root] = spans;
  const without = (lost: string) => storyProblems(spans.filter(({ name }) => name !== lost));
  expect(without("create_memory")).toContain("something remembered is missing");
  expect(without("tools/call refund_charge")).toContain("gateway.call stands under nothing");
  expect(storyProblems(root === undefined ? [] : [...spans, { ...root, traceId: "f".repeat(32) }])).toEqual([
    "it is told in 2 traces",
    "it has 2 beginnings",
  ]);
  expect(storyProblems(spans.map((span) => ({ ...span, name: span.name.replace("chat ", "call ") })))).toContain(
    "call scripted-model: the name should be chat scripted-model",
  );
});

describe("bad input ends in one clear sentence and a code", () => {
  const wrongKey = join(room, "wrong.key");
  writeFileSync(wrongKey, "not a key\n", { mode: 0o600 });

  test.for([
    [["--frobnicate"], {}, /Unknown option '--frobnicate'/, 2],
    [["--port", "99999"], {}, /--port 99999 is no port/, 2],
    [["--memory", "mongo"], {}, /--memory mongo is not known: choose sqlite or redis/, 2],
    [["--profile", "mongo"], {}, /--profile mongo is not known: choose sqlite or redis or postgres/, 2],
    [
      ["--profile", "postgres", "--no-crashes"],
      { POSTGRES_URL: "postgresql://x@127.0.0.1:1/x" },
      /PostgreSQL did not confirm/,
      2,
    ],
    [["--data", "/proc/nowhere"], {}, /The data folder \/proc\/nowhere cannot be written/, 2],
    [["--key-file", wrongKey], {}, /is not a key file: make one/, 1],
    [
      ["--memory", "redis"],
      { PATH: without("redis-server") },
      /redis-server is not on PATH: apt-get install redis-server/,
      2,
    ],
    [["--no-crashes"], { OPENAI_BASE_URL: "http://127.0.0.1:1/v1" }, /The ticket was not resolved: /, 2],
    [["--ticket", "T-1", "--no-crashes"], {}, /There is no ticket T-1/, 1],
  ] as const)("%s", async ([args, environment, sentence, expected]) => {
    const { code, output } = await start(args, environment);
    expect(output).toMatch(sentence);
    expect(output).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
    expect(code).toBe(expected);
  });

  test("a port in use", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const { code, output } = await start(["--port", String(port)]);
    server.close();
    expect(output).toContain(`Port ${port} is in use`);
    expect(code).toBe(2);
  });
});
