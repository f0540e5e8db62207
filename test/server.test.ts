import { type ChildProcess, execFile, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, afterEach, expect, test } from "vitest";
import { launchChromium } from "./support/chromium.ts";
import { hostile } from "./support/hostile.ts";
import { describeWith, parts } from "./support/system-part.ts";

const folder = fileURLToPath(new URL("../examples/server", import.meta.url));
const room = mkdtempSync(join(tmpdir(), "ashlar-server-"));
const running = new Set<Server>();
afterEach(async () => {
  for (const server of running) await server.stop();
});
afterAll(() => rmSync(room, { recursive: true, force: true }));

interface Server {
  readonly url: string;
  readonly data: string;
  readonly lines: readonly string[];
  readonly ask: (path: string, body?: object) => Promise<Response>;
  /** Resolves once the server has said a line that fits. */
  said(pattern: RegExp): Promise<string>;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

function launch(args: readonly string[]): {
  child: ChildProcess;
  lines: string[];
  said(pattern: RegExp): Promise<string>;
} {
  const { ANTHROPIC_API_KEY: _a, OPENAI_API_KEY: _o, OPENAI_BASE_URL: _u, REDIS_URL: _r, ...environment } = process.env;
  const child = spawn(process.execPath, ["--conditions=@ashlar/source", join(folder, "main.ts"), ...args], {
    env: environment,
  });
  const lines: string[] = [];
  const waiting: { pattern: RegExp; resolve(line: string): void }[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      for (const { pattern, resolve } of waiting) if (pattern.test(line)) resolve(line);
    });
  }
  return {
    child,
    lines,
    said(pattern) {
      const known = lines.find((line) => pattern.test(line));
      if (known !== undefined) return Promise.resolve(known);
      return new Promise((resolve, reject) => {
        waiting.push({ pattern, resolve });
        child.once("close", () =>
          reject(new Error(`The server ended and never said ${pattern}:\n${lines.join("\n")}`)),
        );
      });
    },
  };
}

async function serve(...args: readonly string[]): Promise<Server> {
  const named = args.indexOf("--data");
  const data = args[named + 1] ?? "";
  const { child, lines, said } = launch(["--port", "0", ...args]);
  const url = /listening on (\S+);/.exec(await said(/listening on/))?.[1] ?? "";
  const key = readFileSync(join(data, "operator.key"), "utf8").trim();
  const server: Server = {
    ...{ url, data, lines, said },
    ask: (path, body) =>
      fetch(url + path, {
        headers: {
          authorization: `Bearer ${key}`,
          accept: "application/json, text/event-stream",
          "content-type": "application/json",
        },
        ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
      }),
    stop(signal = "SIGTERM") {
      running.delete(server);
      if (child.exitCode !== null) return Promise.resolve(child.exitCode);
      const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
      child.kill(signal);
      return ended;
    },
  };
  running.add(server);
  return server;
}

/** What a server that does not come up says, and its exit code. */
async function refused(...args: readonly string[]): Promise<{ code: number | null; said: string }> {
  const { child, lines } = launch(args);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, said: lines.join("\n") };
}

interface Answer {
  readonly id: string;
  readonly session: string;
  readonly status: string;
  readonly items: readonly { readonly type: string; readonly body: { readonly request: string } }[];
}

/** An answer's JSON, as far as these tests read it. */
const body = async (response: Promise<Response>): Promise<Answer> => (await response).json() as never;

const fresh = (): string => mkdtempSync(join(room, "data-"));

function definitions(): string {
  const copy = mkdtempSync(join(room, "definitions-"));
  cpSync(join(folder, "definitions"), copy, { recursive: true });
  return copy;
}

test("the README's commands run against it as they stand", async () => {
  const server = await serve("--data", fresh());
  const script = /```sh\n(URL=[\s\S]*?)```/.exec(readFileSync(join(folder, "README.md"), "utf8"))?.[1] ?? "exit 9";
  const { stdout } = await promisify(execFile)("bash", ["-euc", script], {
    env: { PATH: process.env.PATH, URL: server.url, DATA: server.data },
  });
  for (const found of [
    '"name":"assistant"',
    '"text":"42"',
    "Ann likes short answers.",
    "event: agent.message",
    "memory___memory_add",
  ]) {
    expect(stdout).toContain(found);
  }
});

test("sessions, memory, agents and keys are there after a restart, and a call under way ends well", async () => {
  const data = fresh();
  const first = await serve("--data", data);
  const opened = await body(first.ask("/agents/assistant/sessions", { externalId: "kept" }));
  const call = first.ask("/agents/assistant/invoke", { input: "run: 40 + 2", session: opened.id });
  await first.ask("/healthz");
  expect(await first.stop()).toBe(0);
  expect(await (await call).json()).toMatchObject({ output: { text: "42" } });
  await expect(fetch(`${first.url}/healthz`)).rejects.toThrow();

  const second = await serve("--data", data);
  expect(await (await second.ask("/agents/assistant/sessions", { externalId: "kept" })).json()).toMatchObject({
    id: opened.id,
  });
  const again = await second.ask("/agents/assistant/invoke", { input: "run: 1 + 1", session: opened.id });
  expect(await again.json()).toMatchObject({ session: opened.id, output: { text: "2" } });
  expect(statSync(join(data, "operator.key")).mode & 0o077).toBe(0);
});

test("a definition that changes is in force without a restart; one that is broken leaves the last good one", async () => {
  const own = definitions();
  const server = await serve("--data", fresh(), "--definitions", own);
  const agent = (system: string) => `model: { provider: scripted }\nsystem: ${system}\ntools: []\n`;
  const names = async () => (await body(server.ask("/agents"))).items;

  writeFileSync(join(own, "agents/second.yaml"), agent("One."));
  await server.said(/agent second, version 1/);
  expect(await names()).toMatchObject([{ name: "assistant" }, { name: "second", version: "1" }]);

  writeFileSync(join(own, "agents/second.yaml"), agent("Two."));
  await server.said(/agent second, version 2/);
  expect(await names()).toMatchObject([{ name: "assistant" }, { name: "second", version: "2" }]);

  writeFileSync(join(own, "agents/second.yaml"), "model: { provider: nobody }\n");
  expect(await server.said(/agents\/second.yaml is not used/)).toContain("model");
  expect((await server.ask("/agents/second/invoke", { input: "hello" })).status).toBe(200);

  rmSync(join(own, "agents/second.yaml"));
  await server.said(/agent second is gone/);
  expect((await server.ask("/agents/second/invoke", { input: "hello" })).status).toBe(404);

  writeFileSync(join(own, "targets/more.yaml"), "kind: memory\nmemory: more\n");
  await server.said(/target more/);
  const list = { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} };
  expect(await (await server.ask("/mcp", list)).text()).toContain("more___memory_add");
});

test("where a policy says ask, the session waits in the console for a person, without a process", async () => {
  const own = definitions();
  writeFileSync(
    join(own, "policies.yaml"),
    readFileSync(join(own, "policies.yaml"), "utf8") +
      "- { id: memory needs a word, effect: ask, actions: [tool.call], resources: [memory/memory_add] }\n",
  );
  const server = await serve("--data", fresh(), "--definitions", own);
  const asked = await body(server.ask("/agents/assistant/invoke", { input: "remember: the blue key" }));
  expect(asked.status).toBe("session.status_waiting");
  const { items } = await body(server.ask(`/console/api/sessions/${asked.session}/events`));
  const { request } = items.find(({ type }) => type === "approval.requested")?.body ?? {};
  const key = readFileSync(join(server.data, "operator.key"), "utf8").trim();
  const answered = await fetch(`${server.url}/console/api/sessions/${asked.session}/answer`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "x-ashlar-console": "1" },
    body: JSON.stringify({ request, allow: true }),
  });
  expect(answered.status).toBe(200);
  const rest = await server.ask(`/agents/assistant/sessions/${asked.session}/events`);
  let text = "";
  for await (const chunk of rest.body ?? []) {
    text += Buffer.from(chunk).toString();
    if (text.includes("agent.message")) break;
  }
  expect(text).toContain("rec_");
});

test("a browser signs in once; no script reads the cookie, and a wrong key does not", async () => {
  const server = await serve("--data", fresh());
  const key = readFileSync(join(server.data, "operator.key"), "utf8").trim();
  const html = { accept: "text/html" };
  const signIn = (given: string) =>
    fetch(`${server.url}/console/sign-in`, {
      method: "POST",
      redirect: "manual",
      body: new URLSearchParams({ key: given }),
    });
  expect((await fetch(`${server.url}/console/`, { headers: html })).status).toBe(401);
  expect((await signIn("ashlar.key_x.nothing")).status).toBe(401);
  const entered = await signIn(key);
  const cookie = entered.headers.get("set-cookie") ?? "";
  expect(entered.status).toBe(303);
  expect(cookie).toMatch(/HttpOnly; SameSite=Strict; Path=\/console/);
  const page = await fetch(`${server.url}/console/`, { headers: { ...html, cookie: cookie.split(";")[0] ?? "" } });
  expect([page.status, await page.text()]).toEqual([200, expect.stringContaining("<title>")]);
});

describeWith([parts.chromium], "the console of the server, in Chromium", () => {
  test("shows the ticket-resolver's session to who signs in", async () => {
    const runs = mkdtempSync(join(room, "runs-"));
    const job = fileURLToPath(new URL("../examples/ticket-resolver/main.ts", import.meta.url));
    await promisify(execFile)(process.execPath, ["--conditions=@ashlar/source", job, "--no-crashes", "--data", runs]);
    const data = join(runs, readdirSync(runs)[0] ?? "");
    const server = await serve("--data", data, "--tenant", "acme");
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      const problems: string[] = [];
      page.on("pageerror", ({ message }) => problems.push(message));
      await page.goto(`${server.url}/console/`);
      await page.getByLabel("API key").fill(readFileSync(join(data, "operator.key"), "utf8").trim());
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByText("ticket-resolver").locator("visible=true").first().click();
      await page.getByText("get_ticket").locator("visible=true").first().waitFor();
      expect(problems).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});

hostile("a server on a public address that nobody was told how to guard", {
  control: "with auth.yaml it listens there",
  async unguarded() {
    const own = definitions();
    writeFileSync(join(own, "auth.yaml"), "api_keys: true\n");
    const server = await serve("--data", fresh(), "--definitions", own, "--host", "0.0.0.0");
    expect(server.url).toContain("0.0.0.0");
    await server.stop();
  },
  async guarded() {
    const { code, said } = await refused("--host", "0.0.0.0", "--data", fresh());
    expect([code, said]).toEqual([2, expect.stringContaining("no auth is configured")]);
  },
});

hostile("a page of another site, or one that rebound a name, calls the server on loopback", {
  control: "the same call from no page, with the key, is served",
  async unguarded() {
    const server = await serve("--data", fresh());
    expect((await server.ask("/agents")).status).toBe(200);
    await server.stop();
  },
  async guarded() {
    const server = await serve("--data", fresh());
    const key = readFileSync(join(server.data, "operator.key"), "utf8").trim();
    const headers = { authorization: `Bearer ${key}`, origin: "https://evil.example" };
    expect((await fetch(`${server.url}/agents`, { headers })).status).toBe(403);
  },
});

test.each<[string, readonly string[], RegExp]>([
  ["an unknown flag", ["--no-such"], /no-such.*options are/s],
  ["a port that is none", ["--port", "70000"], /no port/],
  ["an unknown profile", ["--profile", "oracle"], /not known/],
  ["an engine whose server is not named", ["--profile", "redis", "--data", join(room, "unused")], /REDIS_URL/],
  ["a data folder that cannot be written", ["--data", "/proc/ashlar"], /data folder/],
])("%s is one sentence and a code", async (_, args, sentence) => {
  const { code, said } = await refused(...args);
  expect(said).toMatch(sentence);
  expect(said).not.toContain("    at ");
  expect(code).toBe(2);
});

test("a port in use, and a definition that does not parse at the start, are one sentence and a code", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => taken.once("listening", resolve));
  const { port } = taken.address() as { port: number };
  const busy = await refused("--port", String(port), "--data", fresh());
  taken.close();
  expect([busy.code, busy.said]).toEqual([2, expect.stringContaining("EADDRINUSE")]);

  const own = definitions();
  mkdirSync(join(own, "agents"), { recursive: true });
  writeFileSync(join(own, "agents/broken.yaml"), "system: [");
  const broken = await refused("--port", "0", "--data", fresh(), "--definitions", own);
  expect([broken.code, broken.said]).toEqual([2, expect.stringContaining("agents/broken.yaml is not used")]);
});
