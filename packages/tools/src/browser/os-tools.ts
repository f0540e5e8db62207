import * as z from "zod";
import type { SandboxTool, ToolResult } from "../toolset/sandbox-tool.ts";
import { browserTool } from "./browser-tool.ts";
import type { MouseButton } from "./page-input.ts";

const coordinate = z.number().int().min(0).max(10_000);
const button = z.enum(["LEFT", "RIGHT", "MIDDLE"]).default("LEFT");
const delta = z.number().int().min(-1_000).max(1_000).default(0);
const named = (value: "LEFT" | "RIGHT" | "MIDDLE"): MouseButton => value.toLowerCase() as MouseButton;

const done: ToolResult = { content: [{ type: "text", text: "SUCCESS" }], structuredContent: { status: "SUCCESS" } };

const mouseClick = browserTool({
  name: "mouseClick",
  description: "Click at a point of the viewport.",
  input: () =>
    z.object({ x: coordinate, y: coordinate, button, clickCount: z.number().int().min(1).max(10).default(1) }),
  async run(browser, args, options) {
    const at = browser.within(args);
    const { clickCount } = args;
    await browser.input(
      "mouseClick",
      `${at.x}, ${at.y}`,
      (input) => input.click(at, { button: named(args.button), clickCount }),
      options,
    );
    return done;
  },
});

const mouseMove = browserTool({
  name: "mouseMove",
  description: "Move the mouse to a point of the viewport.",
  input: () => z.object({ x: coordinate, y: coordinate }),
  async run(browser, args, options) {
    const at = browser.within(args);
    await browser.input("mouseMove", `${at.x}, ${at.y}`, (input) => input.move(at), options);
    return done;
  },
});

const mouseDrag = browserTool({
  name: "mouseDrag",
  description: "Press at one point, move to another, and release.",
  input: () => z.object({ startX: coordinate, startY: coordinate, endX: coordinate, endY: coordinate, button }),
  async run(browser, { startX, startY, endX, endY, button }, options) {
    const [from, to] = [browser.within({ x: startX, y: startY }), browser.within({ x: endX, y: endY })];
    const detail = `${from.x}, ${from.y} to ${to.x}, ${to.y}`;
    await browser.input("mouseDrag", detail, (input) => input.drag(from, to, named(button)), options);
    return done;
  },
});

const mouseScroll = browserTool({
  name: "mouseScroll",
  description: "Scroll at a point of the viewport. Negative deltaY scrolls down.",
  input: () => z.object({ x: coordinate, y: coordinate, deltaX: delta, deltaY: delta }),
  async run(browser, args, options) {
    const at = browser.within(args);
    const by = { deltaX: args.deltaX, deltaY: -args.deltaY };
    await browser.input("mouseScroll", `${at.x}, ${at.y}`, (input) => input.scroll(at, by), options);
    return done;
  },
});

const keyType = browserTool({
  name: "keyType",
  description: "Type a text, key by key, where the focus is.",
  input: () => z.object({ text: z.string().min(1).max(10_000) }),
  async run(browser, { text }, options) {
    await browser.input("keyType", `${[...text].length} characters`, (input) => input.type(text), options);
    return done;
  },
});

const keyPress = browserTool({
  name: "keyPress",
  description: "Press a key one or more times: Enter, Tab, ArrowDown, a …",
  input: () => z.object({ key: z.string().min(1).max(30), presses: z.number().int().min(1).max(100).default(1) }),
  async run(browser, { key, presses }, options) {
    await browser.input("keyPress", "", (input) => input.press(key, presses), options);
    return done;
  },
});

const keyShortcut = browserTool({
  name: "keyShortcut",
  description: 'Press keys together: ["ctrl", "a"].',
  input: () => z.object({ keys: z.array(z.string().min(1).max(30)).min(1).max(5) }),
  async run(browser, { keys }, options) {
    await browser.input("keyShortcut", keys.join("+"), (input) => input.shortcut(keys), options);
    return done;
  },
});

const screenshot = browserTool({
  name: "screenshot",
  description: "See the viewport as a picture.",
  input: () => z.object({ format: z.literal("PNG").default("PNG") }),
  async run(browser, _, options) {
    const data = Buffer.from(await browser.screenshot(options)).toString("base64");
    return { content: [{ type: "image", mimeType: "image/png", data }], structuredContent: { status: "SUCCESS" } };
  },
});

/** The eight actions of AgentCore's `InvokeBrowser`, under its own names and with its own arguments. */
export const osTools: readonly SandboxTool[] = [
  ...[mouseClick, mouseMove, mouseDrag, mouseScroll, keyType, keyPress, keyShortcut, screenshot],
];
