import * as z from "zod";
import { textResult } from "../toolset/define-tool.ts";
import type { SandboxTool } from "../toolset/sandbox-tool.ts";
import { browserTool, seen } from "./browser-tool.ts";
import { osTools } from "./os-tools.ts";

const ref = z.string().min(1).max(20).describe("Reference of the element in the last snapshot, such as e3");

const navigate = browserTool({
  name: "browser_navigate",
  description: "Open an address in the browser and see the page.",
  input: () => z.object({ url: z.string().min(1).max(10_000) }),
  async run(browser, { url }, options) {
    await browser.navigate(url, options);
    return seen(browser, options);
  },
});

const snapshot = browserTool({
  name: "browser_snapshot",
  description: "See the page as text: its elements by role and name, with references for the other tools.",
  input: () => z.object({}),
  run: (browser, _, options) => seen(browser, options),
});

const click = browserTool({
  name: "browser_click",
  description: "Click an element.",
  input: () =>
    z.object({
      ref,
      button: z.enum(["left", "right", "middle"]).optional(),
      double: z.boolean().optional().describe("Click twice"),
    }),
  async run(browser, { ref, button = "left", double = false }, options) {
    await browser.click(ref, { ...options, button, clickCount: double ? 2 : 1 });
    return seen(browser, options);
  },
});

const hover = browserTool({
  name: "browser_hover",
  description: "Move the mouse over an element.",
  input: () => z.object({ ref }),
  async run(browser, args, options) {
    await browser.hover(args.ref, options);
    return seen(browser, options);
  },
});

const fill = browserTool({
  name: "browser_fill",
  description: "Replace the text of a field.",
  input: () =>
    z.object({ ref, text: z.string().max(100_000), submit: z.boolean().optional().describe("Press Enter after") }),
  async run(browser, { ref, text, submit = false }, options) {
    await browser.fill(ref, text, { ...options, submit });
    return seen(browser, options);
  },
});

const select = browserTool({
  name: "browser_select",
  description: "Choose options of a list by value or label.",
  input: () => z.object({ ref, values: z.array(z.string()).min(1).max(100) }),
  async run(browser, { ref, values }, options) {
    await browser.select(ref, values, options);
    return seen(browser, options);
  },
});

const upload = browserTool({
  name: "browser_upload",
  description: "Give files of the workspace to a file field.",
  input: () => z.object({ ref, paths: z.array(z.string().min(1)).min(1).max(20) }),
  async run(browser, { ref, paths }, options) {
    await browser.upload(ref, paths, options);
    return seen(browser, options);
  },
});

const go = browserTool({
  name: "browser_go",
  description: "Go one page back or forward, or load the page again.",
  input: () => z.object({ direction: z.enum(["back", "forward", "reload"]) }),
  async run(browser, { direction }, options) {
    await browser.go(direction, options);
    return seen(browser, options);
  },
});

const pages = browserTool({
  name: "browser_pages",
  description: "List the open pages, or open, select or close one.",
  input: () =>
    z.object({
      action: z.enum(["list", "open", "select", "close"]).default("list"),
      id: z.string().max(100).optional().describe("Of the page to select or close"),
      url: z.string().max(10_000).optional().describe("Of the page to open"),
    }),
  async run(browser, { action, id = "", url }, options) {
    if (action === "open") await browser.openPage(url, options);
    if (action === "select") await browser.selectPage(id, options);
    if (action === "close") await browser.closePage(id, options);
    const lines = browser.list().map((page) => `${page.front ? "*" : " "} ${page.id} ${page.title} (${page.url})`);
    return textResult(lines.join("\n") || "No page is open.");
  },
});

const dialog = browserTool({
  name: "browser_dialog",
  description: "Answer the dialog that is open.",
  input: () => z.object({ accept: z.boolean(), text: z.string().max(10_000).optional().describe("For a prompt") }),
  async run(browser, { accept, text }, options) {
    await browser.answerDialog(accept, { ...options, ...(text === undefined ? {} : { text }) });
    return seen(browser, options);
  },
});

const downloads = browserTool({
  name: "browser_downloads",
  description: "List what was downloaded: the files are in the workspace.",
  input: () => z.object({}),
  async run(browser) {
    const lines = (await browser.downloads()).map(({ path, state, bytes }) => `${path} ${state}, ${bytes} bytes`);
    return textResult(lines.join("\n") || "Nothing was downloaded.");
  },
});

/** A browser for agents that read pages by references, and the mouse, key and screenshot operations of AgentCore. */
export const browserTools: readonly SandboxTool[] = [
  ...[navigate, snapshot, click, hover, fill, select, upload, go, pages, dialog, downloads],
  ...osTools,
];
