import { ToolsError } from "../errors.ts";

/** What `Input.dispatchKeyEvent` wants to know of a key of a US keyboard. */
export interface Key {
  readonly key: string;
  readonly code: string;
  readonly windowsVirtualKeyCode: number;
  readonly text?: string;
}

export const MODIFIERS = { Alt: 1, Control: 2, Meta: 4, Shift: 8 } as const;
export type Modifier = keyof typeof MODIFIERS;

const NAMED: Readonly<Record<string, readonly [code: string, number: number, text?: string]>> = {
  Enter: ["Enter", 13, "\r"],
  Tab: ["Tab", 9],
  Backspace: ["Backspace", 8],
  Delete: ["Delete", 46],
  Insert: ["Insert", 45],
  Escape: ["Escape", 27],
  Home: ["Home", 36],
  End: ["End", 35],
  PageUp: ["PageUp", 33],
  PageDown: ["PageDown", 34],
  ArrowLeft: ["ArrowLeft", 37],
  ArrowUp: ["ArrowUp", 38],
  ArrowRight: ["ArrowRight", 39],
  ArrowDown: ["ArrowDown", 40],
  CapsLock: ["CapsLock", 20],
  ContextMenu: ["ContextMenu", 93],
  Alt: ["AltLeft", 18],
  Control: ["ControlLeft", 17],
  Meta: ["MetaLeft", 91],
  Shift: ["ShiftLeft", 16],
  ...Object.fromEntries(
    Array.from({ length: 12 }, (_, at) => [`F${at + 1}`, [`F${at + 1}`, 112 + at] as [string, number]]),
  ),
};
/** As people and other surfaces spell them. */
const ALIASES: Readonly<Record<string, string>> = {
  ...{ return: "Enter", esc: "Escape", del: "Delete", ins: "Insert", ctrl: "Control", cmd: "Meta", command: "Meta" },
  ...{ win: "Meta", super: "Meta", option: "Alt", up: "ArrowUp", down: "ArrowDown", left: "ArrowLeft" },
  ...{ right: "ArrowRight", pgup: "PageUp", pgdn: "PageDown", space: " ", spacebar: " ", menu: "ContextMenu" },
};
const BY_NAME = new Map(Object.keys(NAMED).map((name) => [name.toLowerCase(), name]));
const SYMBOLS: Readonly<Record<string, readonly [code: string, number: number]>> = {
  ...{ " ": ["Space", 32], "-": ["Minus", 189], "=": ["Equal", 187], "[": ["BracketLeft", 219] },
  ...{ "]": ["BracketRight", 221], "\\": ["Backslash", 220], ";": ["Semicolon", 186], "'": ["Quote", 222] },
  ...{ ",": ["Comma", 188], ".": ["Period", 190], "/": ["Slash", 191], "`": ["Backquote", 192] },
};
const SHIFTED = new Map([...'~!@#$%^&*()_+{}|:"<>?'].map((symbol, at) => [symbol, "`1234567890-=[]\\;',./"[at] ?? ""]));

/** A key by its name, its alias or its character; `undefined` for a character that no US keyboard has. */
export function findKey(name: string): Key | undefined {
  const spelled = [...name].length === 1 ? name : (ALIASES[name.toLowerCase()] ?? BY_NAME.get(name.toLowerCase()));
  if (spelled === undefined) return undefined;
  const named = NAMED[spelled];
  if (named !== undefined) {
    const [code, windowsVirtualKeyCode, text] = named;
    return { key: spelled, code, windowsVirtualKeyCode, ...(text === undefined ? {} : { text }) };
  }
  const base = SHIFTED.get(spelled) ?? spelled.toLowerCase();
  if (/^[a-z]$/.test(base)) return printed(spelled, `Key${base.toUpperCase()}`, base.toUpperCase().charCodeAt(0));
  if (/^[0-9]$/.test(base)) return printed(spelled, `Digit${base}`, base.charCodeAt(0));
  const symbol = SYMBOLS[base];
  return symbol === undefined ? undefined : printed(spelled, symbol[0], symbol[1]);
}

export function namedKey(name: string): Key {
  const key = findKey(name);
  if (key !== undefined) return key;
  throw new ToolsError("TOOLS_INVALID", `There is no key ${JSON.stringify(name)}: say Enter, Tab, ArrowDown, F5, a …`);
}

export const isModifier = (key: string): key is Modifier => key in MODIFIERS;

/** Whether a US keyboard needs Shift for it. */
export const needsShift = (character: string): boolean => SHIFTED.has(character) || /^[A-Z]$/.test(character);

const printed = (text: string, code: string, windowsVirtualKeyCode: number): Key => ({
  key: text,
  ...{ code, windowsVirtualKeyCode, text },
});
