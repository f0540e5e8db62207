import assert from "node:assert/strict";
import { Client, InMemoryTransport } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, test } from "vitest";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { aiSdkTools } from "../toolset/ai-sdk.ts";
import { agentTools, SandboxTools } from "../toolset/index.ts";
import { toolsServer } from "../toolset/mcp.ts";
import { WasmBackend } from "../wasm/index.ts";
import { Browsing, context } from "./fixtures/browsing.ts";
import { type Site, startSite } from "./fixtures/site.ts";
import { BrowserSandboxes, browserTools } from "./index.ts";

const PAGE = `<title>Tools</title><body style="margin: 0; height: 3000px">
<button style="position: absolute; left: 100px; top: 100px; width: 100px; height: 40px"
  oncontextmenu="document.title = 'right'" ondblclick="document.title = 'double'" onclick="document.title = 'one'">Press</button>
<input aria-label="Word" style="position: absolute; left: 100px; top: 200px">
<div id="pad" style="position: absolute; left: 300px; top: 100px; width: 200px; height: 200px; background: #ddd"></div>
<script>
  let from; pad.onmousedown = (event) => { from = event.clientX; };
  pad.onmouseup = (event) => { document.title = "dragged " + (event.clientX - from); };
  addEventListener("scroll", () => { document.title = "scrolled " + scrollY; });
</script>`;

describeWith([parts.bubblewrap, parts.chromium, parts.headlessShell], "the browser's tools", () => {
  let site: Site;
  let browsing: Browsing;
  let tools: SandboxTools;
  const call = async (name: string, args: Record<string, string | number | string[]> = {}): Promise<string> => {
    const { content, isError } = await tools.call(context, name, args);
    const text = content.map((block) => String(block.text ?? block.type)).join("\n");
    assert.ok(!isError, text);
    return text;
  };
  const title = async (): Promise<string> => /Page: (.*) \(/.exec(await call("browser_snapshot"))?.[1] ?? "";

  beforeAll(async () => {
    site = await startSite({ "/": PAGE });
    browsing = new Browsing({ egress: { allowPrivate: [site.host] } });
    const spec = { program: "headless-shell", network: { mode: "allow", hosts: [site.host] } } as const;
    const backend = new BrowserSandboxes({ browsers: browsing.browsers, spec });
    tools = new SandboxTools({ backend, tools: [...agentTools, ...browserTools] });
  }, 120_000);
  afterAll(async () => {
    await tools.close();
    await browsing[Symbol.asyncDispose]();
    await site[Symbol.asyncDispose]();
  });

  test("AgentCore's operations do to the page what a hand would", async () => {
    await call("browser_navigate", { url: site.origin });
    await call("mouseClick", { x: 150, y: 120 });
    assert.equal(await title(), "one");
    await call("mouseClick", { x: 150, y: 120, clickCount: 2 });
    assert.equal(await title(), "double");
    await call("mouseClick", { x: 150, y: 120, button: "RIGHT" });
    assert.equal(await title(), "right");
    await call("mouseDrag", { startX: 320, startY: 150, endX: 420, endY: 150 });
    assert.equal(await title(), "dragged 100");
    await call("mouseClick", { x: 150, y: 210 });
    await call("keyType", { text: "Hello" });
    await call("keyPress", { key: "backspace", presses: 2 });
    assert.match(await call("browser_snapshot"), /textbox "Word" \[focused\] \[ref=e\d+\]: "Hel"/);
    await call("keyShortcut", { keys: ["ctrl", "a"] });
    await call("keyType", { text: "x" });
    assert.match(await call("browser_snapshot"), /: "x"/);
    await call("mouseMove", { x: 5, y: 5 });
    await call("mouseScroll", { x: 600, y: 400, deltaY: -200 });
    assert.match(await title(), /scrolled [1-9]/);
    assert.equal(await call("screenshot"), "image");
  });

  test("what was downloaded or written is in the same files as for the other tools", async () => {
    await call("write", { file_path: "note.txt", content: "hello" });
    assert.equal(await call("bash", { command: "cat note.txt" }), "hello");
    assert.equal(await call("browser_downloads"), "Nothing was downloaded.");
  });

  test("bad arguments are told to the agent, who can mend them", async () => {
    for (const [name, args, words] of [
      ["mouseClick", { x: 5_000, y: 1 }, /The viewport is 1456 by 819/],
      ["mouseClick", { x: "a" }, /Arguments of mouseClick/],
      ["browser_click", { ref: "e999" }, /take another snapshot/],
      ["browser_navigate", { url: "file:///etc/passwd" }, /Only http: and https:/],
      ["keyPress", { key: "Nokey" }, /There is no key/],
      ["browser_upload", { ref: "e1", paths: ["../../etc/passwd"] }, /path in the workspace/],
    ] as const) {
      const { content, isError } = await tools.call(context, name, args);
      assert.equal(isError, true, name);
      assert.match(String(content[0]?.text), words);
    }
  });

  test("the AI SDK's tools give a picture as a picture", async () => {
    const { screenshot } = await aiSdkTools(tools, context);
    const output = await screenshot?.execute?.({}, { toolCallId: "1", messages: [], context: {} });
    const shown = await screenshot?.toModelOutput?.({ toolCallId: "1", input: {}, output });
    assert.ok(shown?.type === "content" && shown.value[0]?.type === "file");
    assert.equal(shown.value[0].mediaType, "image/png");
  });

  test("an MCP client lists and calls them", async () => {
    const [near, far] = InMemoryTransport.createLinkedPair();
    await toolsServer({ tools, context }).connect(far);
    const client = new Client({ name: "test", version: "1" });
    await client.connect(near);
    const { tools: listed } = await client.listTools();
    for (const { name } of browserTools)
      assert.ok(
        listed.some((tool) => tool.name === name),
        name,
      );
    const { content } = await client.callTool({ name: "screenshot", arguments: {} });
    assert.equal((content as { type: string }[])[0]?.type, "image");
    await client.close();
  });

  test("a backend without a browser does not offer them, and says why", async () => {
    await using plain = new SandboxTools({ backend: new WasmBackend(), tools: browserTools });
    assert.deepEqual(await plain.list(context), []);
    assert.match((await plain.unavailable())[0]?.reason ?? "", /has no browser: use BrowserSandboxes/);
  });
});
