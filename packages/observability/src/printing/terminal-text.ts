/** Control characters and those that reorder text: a transcript must not move the cursor or show what is not there. */
const unsafe = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** One line that a terminal can print. Line breaks become spaces, other control characters `·`. */
export const terminalText = (text: string): string => text.replace(/\s*[\r\n\t]+\s*/g, " ").replace(unsafe, "·");

export function shorten(text: string, width: number): string {
  if (text.length <= width) return text;
  return width <= 1 ? "…".slice(0, width) : `${text.slice(0, width - 1)}…`;
}

type Style = "bold" | "dim" | "red" | "green" | "yellow" | "blue" | "magenta" | "cyan";
const ESCAPE = String.fromCharCode(27);
const codes: Readonly<Record<Style, number>> = {
  bold: 1,
  dim: 2,
  red: 31,
  green: 32,
  yellow: 33,
  blue: 34,
  magenta: 35,
  cyan: 36,
};

export type Paint = (text: string, ...styles: readonly Style[]) => string;

export const painter = (colour: boolean): Paint =>
  colour
    ? (text, ...styles) =>
        text === "" ? "" : `${styles.map((style) => `${ESCAPE}[${codes[style]}m`).join("")}${text}${ESCAPE}[0m`
    : (text) => text;
