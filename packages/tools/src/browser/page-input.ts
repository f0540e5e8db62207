import { ToolsError } from "../errors.ts";
import type { CdpParams } from "./cdp/cdp-pipe.ts";
import { findKey, isModifier, type Key, MODIFIERS, namedKey, needsShift } from "./keys.ts";

export type MouseButton = "left" | "right" | "middle";

export interface Point {
  readonly x: number;
  readonly y: number;
}

type Send = (method: string, params: CdpParams) => Promise<unknown>;

const BUTTONS: Readonly<Record<MouseButton, number>> = { left: 1, right: 2, middle: 4 };
const DRAG_STEPS = 8;

/** Mouse and keyboard of one page, as if a person sat before it: coordinates are pixels of the viewport. */
export class PageInput {
  readonly #send: Send;
  #at: Point = { x: 0, y: 0 };

  constructor(send: Send) {
    this.#send = send;
  }

  async move(to: Point): Promise<void> {
    await this.#mouse("mouseMoved", to, {});
    this.#at = to;
  }

  async click(
    at: Point,
    { button = "left", clickCount = 1 }: { readonly button?: MouseButton; readonly clickCount?: number } = {},
  ): Promise<void> {
    await this.move(at);
    for (let count = 1; count <= clickCount; count++) {
      await this.#mouse("mousePressed", at, { button, buttons: BUTTONS[button], clickCount: count });
      await this.#mouse("mouseReleased", at, { button, clickCount: count });
    }
  }

  async drag(from: Point, to: Point, button: MouseButton = "left"): Promise<void> {
    await this.move(from);
    await this.#mouse("mousePressed", from, { button, buttons: BUTTONS[button], clickCount: 1 });
    for (let step = 1; step <= DRAG_STEPS; step++) {
      const along = (start: number, end: number): number => Math.round(start + ((end - start) * step) / DRAG_STEPS);
      const at = { x: along(from.x, to.x), y: along(from.y, to.y) };
      await this.#mouse("mouseMoved", at, { button, buttons: BUTTONS[button] });
    }
    await this.#mouse("mouseReleased", to, { button, clickCount: 1 });
    this.#at = to;
  }

  /** Positive `deltaY` scrolls down, as in a page's own wheel events. */
  async scroll(
    at: Point,
    { deltaX = 0, deltaY = 0 }: { readonly deltaX?: number; readonly deltaY?: number },
  ): Promise<void> {
    await this.#mouse("mouseWheel", at, { deltaX, deltaY });
    this.#at = at;
  }

  /** Key by key; what no US keyboard has is put in as an input method would. */
  async type(text: string): Promise<void> {
    for (const character of text.replaceAll("\r\n", "\n")) {
      const key = character === "\n" ? namedKey("Enter") : character === "\t" ? namedKey("Tab") : findKey(character);
      if (key === undefined) await this.insert(character);
      else await this.#stroke(key, needsShift(character) ? MODIFIERS.Shift : 0);
    }
  }

  async insert(text: string): Promise<void> {
    await this.#send("Input.insertText", { text });
  }

  async press(name: string, presses = 1): Promise<void> {
    const key = namedKey(name);
    for (let count = 0; count < presses; count++) await this.#stroke(key, 0);
  }

  /** The last key is pressed while the others are held: `["ctrl", "a"]`. */
  async shortcut(names: readonly string[]): Promise<void> {
    const keys = names.map(namedKey);
    const last = keys.at(-1);
    const held = keys.slice(0, -1);
    if (last === undefined) throw new ToolsError("TOOLS_INVALID", "A shortcut has at least one key.");
    let modifiers = 0;
    for (const key of held) {
      if (isModifier(key.key)) modifiers |= MODIFIERS[key.key];
      await this.#key("rawKeyDown", key, modifiers);
    }
    await this.#stroke(last, modifiers);
    for (const key of held.toReversed()) {
      if (isModifier(key.key)) modifiers &= ~MODIFIERS[key.key];
      await this.#key("keyUp", key, modifiers);
    }
  }

  async #stroke(key: Key, modifiers: number): Promise<void> {
    const prints = key.text !== undefined && (modifiers & ~MODIFIERS.Shift) === 0;
    await this.#key(prints ? "keyDown" : "rawKeyDown", key, modifiers, prints);
    await this.#key("keyUp", key, modifiers);
  }

  async #key(type: string, { text, ...key }: Key, modifiers: number, prints = false): Promise<void> {
    const commands = EDITING[`${modifiers}:${key.key.toLowerCase()}`];
    await this.#send("Input.dispatchKeyEvent", {
      ...{ type, modifiers, ...key },
      ...(prints && text !== undefined ? { text, unmodifiedText: text } : {}),
      ...(commands === undefined || type === "keyUp" ? {} : { commands: [commands] }),
    });
  }

  async #mouse(type: string, { x, y }: Point, params: CdpParams): Promise<void> {
    await this.#send("Input.dispatchMouseEvent", { type, x, y, ...params });
  }
}

/** Without a desktop around it Chromium does not know what Control-A means in a field. */
const EDITING: Readonly<Record<string, string>> = {
  [`${MODIFIERS.Control}:a`]: "selectAll",
  [`${MODIFIERS.Control}:c`]: "copy",
  [`${MODIFIERS.Control}:v`]: "paste",
  [`${MODIFIERS.Control}:x`]: "cut",
  [`${MODIFIERS.Control}:z`]: "undo",
  [`${MODIFIERS.Control}:y`]: "redo",
};
