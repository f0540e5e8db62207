import { Client, InMemoryTransport } from "@modelcontextprotocol/client";
import { afterEach, expect, test } from "vitest";
import type { CallContext } from "../dialect.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { WasmBackend } from "../wasm/wasm-backend.ts";
import { agentTools, codeInterpreterTools, SandboxTools, type SandboxToolsDeps, webTools } from "./index.ts";

const context = (session: string): CallContext => ({ principal: { tenant: "acme", session } });
const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]();
});

function wasm(options: Partial<SandboxToolsDeps> = {}): SandboxTools {
  const backend = new WasmBackend();
  const tools = new SandboxTools({ backend, tools: [...agentTools, ...codeInterpreterTools], ...options });
  open.push(tools, { [Symbol.asyncDispose]: () => backend.close() });
  return tools;
}

test("what the backend cannot offer is not listed and is reported", async () => {
  const tools = wasm();
  const names = (await tools.list(context("a"))).map(({ name }) => name);
  expect(names).toEqual([
    ...["read", "write", "edit", "glob", "grep"],
    ...["executeCode", "readFiles", "listFiles", "removeFiles", "writeFiles"],
  ]);
  expect((await tools.unavailable()).map(({ name }) => name)).toContain("bash");
  await expect(tools.call(context("a"), "bash", { command: "ls" })).rejects.toMatchObject({
    code: "TOOLS_UNKNOWN_TOOL",
  });
  const code = (await tools.list(context("a"))).find(({ name }) => name === "executeCode");
  expect(code?.inputSchema).toMatchObject({ properties: { language: { enum: ["javascript"] } } });
});

test("a sandbox that nobody uses ends, and the next call says that it is a new one", async () => {
  const clock = new ManualClock();
  const tools = wasm({ clock, idleMs: 60_000 });
  const run = (code: string) => tools.call(context("a"), "executeCode", { code });
  await run("globalThis.kept = 1");
  await clock.advance(59_000);
  expect(await run("kept")).toMatchObject({ content: [{ text: "1" }] });
  await clock.advance(59_000);
  expect(await run("typeof kept")).toMatchObject({ content: [{ text: '"number"' }] });
  await clock.advance(60_000);
  const after = await run("typeof kept");
  expect(after.content).toMatchObject([{ text: expect.stringContaining("started afresh") }, { text: '"undefined"' }]);
});

test("files written by one tool are seen by the others", async () => {
  const tools = wasm();
  const call = (name: string, args: object) => tools.call(context("a"), name, args as never);
  await call("write", { file_path: "a.txt", content: "one\ntwo\nthree" });
  await call("edit", { file_path: "a.txt", old_string: "two", new_string: "2" });
  expect((await call("read", { file_path: "a.txt", view_range: [2, 3] })).content).toEqual([
    { type: "text", text: "2\nthree" },
  ]);
  expect((await call("grep", { pattern: "thr" })).content[0]).toMatchObject({ text: "a.txt:3:three" });
  const ran = await call("executeCode", { code: "fs.readFileSync('a.txt', 'utf8').length" });
  expect(ran).toMatchObject({ structuredContent: { exitCode: 0 }, content: [{ type: "text", text: "11" }] });
  await call("writeFiles", { content: [{ path: "b.bin", blob: Buffer.from([0xff, 0]).toString("base64") }] });
  expect((await call("readFiles", { paths: ["b.bin"] })).content[0]).toMatchObject({
    resource: { blob: Buffer.from([0xff, 0]).toString("base64") },
  });
  expect((await call("listFiles", {})).content.map((each) => each.name)).toEqual(["a.txt", "b.bin"]);
  await call("removeFiles", { paths: ["b.bin"] });
  expect((await call("glob", { pattern: "*" })).content[0]).toMatchObject({ text: "a.txt" });
});

test("sessions never share a sandbox, nor do tenants with the same session name", async () => {
  const tools = wasm();
  await tools.call(context("a"), "write", { file_path: "secret", content: "a" });
  const others = [context("b"), { principal: { tenant: "other", session: "a" } }];
  for (const other of others) {
    expect((await tools.call(other, "glob", { pattern: "**" })).content[0]).toMatchObject({ text: "No matches." });
  }
  await expect(tools.call({ principal: { tenant: "acme" } }, "glob", { pattern: "*" })).rejects.toMatchObject({
    code: "TOOLS_INVALID",
  });
});

test("a repeated idempotency key gives the first result and runs nothing again", async () => {
  const tools = wasm();
  const keyed = { ...context("a"), idempotencyKey: "step-1" };
  const code = "globalThis.count = (globalThis.count ?? 0) + 1";
  const first = await tools.call(keyed, "executeCode", { code });
  expect(await tools.call(keyed, "executeCode", { code })).toEqual(first);
  expect((await tools.call(context("a"), "executeCode", { code })).content[0]).toMatchObject({ text: "2" });
});

test("wrong arguments and the program's own errors are results that the agent can read", async () => {
  const tools = wasm();
  expect(await tools.call(context("a"), "read", {})).toMatchObject({ isError: true });
  const thrown = await tools.call(context("a"), "executeCode", { code: "throw new RangeError('no')" });
  expect(thrown).toMatchObject({ isError: true, structuredContent: { exitCode: 1 } });
  expect(thrown.content[0]).toMatchObject({ text: expect.stringContaining("RangeError: no") });
});

test("a long result goes to a file in the sandbox", async () => {
  const tools = wasm({ maxResultCharacters: 50 });
  const long = await tools.call(context("a"), "executeCode", { code: "console.log('x'.repeat(500))" });
  const path = /\.results\/\S+\.txt/.exec(String(long.content[0]?.text))?.[0];
  expect(path).toBeDefined();
  const size = await tools.call(context("a"), "executeCode", { code: `fs.readFileSync('${path}', 'utf8').length` });
  expect(size.content[0]).toMatchObject({ text: "501" });
});

test("web_fetch gives a page's text, names a redirect, and keeps to its domains", async () => {
  const page = "<html><head><title>t</title></head><body><h1>A &amp; B</h1><script>bad()</script><p>1 < 2</p></body>";
  const fetch = async (input: string | URL | Request) =>
    String(input).includes("moved")
      ? new Response(null, { status: 302, headers: { location: "http://169.254.169.254/" } })
      : new Response(page, { headers: { "content-type": "text/html" } });
  const tools = wasm({ tools: webTools({ fetch, blockedDomains: ["evil.example"] }) });
  const get = (url: string) => tools.call(context("a"), "web_fetch", { url });
  expect((await get("https://docs.example/")).content[0]).toMatchObject({ text: "A & B\n\n1 < 2" });
  expect((await get("https://docs.example/moved")).content[0]).toMatchObject({
    text: expect.stringContaining("169.254.169.254"),
  });
  expect(await get("https://sub.evil.example/")).toMatchObject({ isError: true });
});

test("web_fetch refuses the host's own and metadata addresses by default", async () => {
  const tools = wasm({ tools: webTools() });
  for (const url of ["http://127.0.0.1:1/", "http://169.254.169.254/latest", "http://[::ffff:10.0.0.1]/"]) {
    expect(await tools.call(context("a"), "web_fetch", { url })).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining("not public") }],
    });
  }
});

test("the same tools are AI SDK tools and an MCP server", async () => {
  const tools = wasm();
  const { aiSdkTools } = await import("./ai-sdk.ts");
  const set = await aiSdkTools(tools, context("a"));
  const executed = await set.executeCode?.execute?.({ code: "1 + 2" }, {
    toolCallId: "1",
    messages: [],
    context: {},
  } as never);
  expect(executed).toMatchObject({ content: [{ text: "3" }] });

  const { toolsServer } = await import("./mcp.ts");
  const [clientSide, serverSide] = InMemoryTransport.createLinkedPair();
  const server = toolsServer({ tools, context: context("a") });
  await server.connect(serverSide);
  const client = new Client({ name: "test", version: "1" });
  await client.connect(clientSide);
  expect((await client.listTools()).tools.map(({ name }) => name)).toContain("executeCode");
  const called = await client.callTool({ name: "executeCode", arguments: { code: "6 * 7" } });
  expect(called.content).toEqual([{ type: "text", text: "42" }]);
  await client.close();
});
