/** One position of a pattern: any of these byte strings. */
type Position = readonly Uint8Array[];

/** A secret in one family of encodings. `gaps` may stand between positions: line breaks in wrapped base64. */
interface Pattern {
  readonly positions: readonly Position[];
  readonly gaps: readonly Uint8Array[];
}

const bytes = (text: string): Uint8Array => Buffer.from(text, "utf8");

const LINE_BREAKS = ["\n", "\r\n", "\\n", "\\r\\n", "%0A", "%0D%0A"].map(bytes);
const HEX_GAPS = [":", " ", "-"].map(bytes);
const ENTITIES: Readonly<Record<string, string>> = { "&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos" };
const JSON_ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "/": "\\/",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};
/** Shorter base64 and hexadecimal forms than this many characters occur by chance. */
const SHORTEST_ENCODED = 8;

/** The patterns that find `secret` raw, in any escape, in hexadecimal, and in base64 wherever it starts. */
function patternsOf(secret: string): readonly Pattern[] {
  const raw = Buffer.from(secret, "utf8");
  const hex = [...raw.toString("hex")].map((digit) => both(digit));
  const base64 = [0, 1, 2].map((offset) => base64Core(raw, offset)).filter((core) => core.length >= SHORTEST_ENCODED);
  return [
    { positions: [...secret].map(spellings), gaps: [] },
    ...(hex.length < SHORTEST_ENCODED ? [] : [{ positions: hex, gaps: HEX_GAPS }]),
    ...base64.map((core) => ({ positions: [...core].map(base64Digit), gaps: LINE_BREAKS })),
    ...(raw.length * 2 < SHORTEST_ENCODED ? [] : [utf16(secret)]),
  ];
}

/** The base64 digits that depend on the secret alone when `offset` bytes of something else stand before it. */
function base64Core(raw: Buffer, offset: number): string {
  const text = Buffer.concat([Buffer.alloc(offset), raw])
    .toString("base64")
    .replaceAll("=", "");
  const bits = (offset + raw.length) * 8;
  return text.slice(Math.ceil((offset * 8) / 6), Math.floor(bits / 6));
}

function spellings(character: string): Position {
  const raw = bytes(character);
  const percent = [...raw].map((byte) => `%${hex(byte, 2)}`).join("");
  const units = [...Array(character.length).keys()].map((index) => hex(character.charCodeAt(index), 4));
  const unicode = units.map((unit) => `\\u${unit}`).join("");
  const point = character.codePointAt(0) ?? 0;
  const texts = [
    ...cased(percent),
    ...cased(percent.replaceAll("%", "%25")),
    ...cased(unicode),
    ...cased(unicode.replaceAll("\\", "\\\\")),
    ...cased([...raw].map((byte) => `\\x${hex(byte, 2)}`).join("")),
    `&#${point};`,
    ...cased(`&#x${point.toString(16)};`),
    ...(ENTITIES[character] === undefined ? [] : [`&${ENTITIES[character]};`]),
    ...(character === " " ? ["+"] : []),
  ];
  const escaped = JSON_ESCAPES[character];
  if (escaped !== undefined) texts.push(escaped, escaped.replaceAll("\\", "\\\\").replaceAll('"', '\\"'));
  return [raw, ...new Set(texts)].map((text) => (typeof text === "string" ? bytes(text) : text));
}

function base64Digit(digit: string): Position {
  if (digit === "+") return [...spellings("+"), bytes("-")];
  if (digit === "/") return [...spellings("/"), bytes("_")];
  return [bytes(digit)];
}

function utf16(secret: string): Pattern {
  const units = Buffer.from(secret, "utf16le");
  return { positions: [...units].map((byte) => [Uint8Array.of(byte)]), gaps: [] };
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");
const both = (digit: string): Position => [...new Set([digit, digit.toUpperCase()])].map(bytes);
/** The escape with its hexadecimal digits in either case; the letter that introduces them keeps its own. */
const cased = (text: string): readonly string[] => {
  const upper = text.replace(
    /(%25|%|\\\\u|\\u|\\x|&#x)([0-9a-f]+)/g,
    (_, start, digits) => start + digits.toUpperCase(),
  );
  return upper === text ? [text] : [text, upper];
};

/** `end` is where a match ends; `"partial"` when the bytes end before that is decided. */
export type Match = number | "partial" | undefined;

/** Finds any of many secrets at a position. Linear in the bytes, whatever the secrets are. */
export class Spellings {
  readonly #byFirst: (Pattern[] | undefined)[] = [];
  #empty = true;

  get empty(): boolean {
    return this.#empty;
  }

  add(secret: string): void {
    this.#empty = false;
    for (const pattern of patternsOf(secret)) {
      for (const first of new Set(pattern.positions[0]?.map((spelling) => spelling[0] ?? 0))) {
        const at = this.#byFirst[first];
        if (at) at.push(pattern);
        else this.#byFirst[first] = [pattern];
      }
    }
  }

  /** The longest match that starts at `start`; with `final`, what is cut off counts as no match. */
  at(data: Uint8Array, start: number, final: boolean): Match {
    const candidates = this.#byFirst[data[start] ?? 0];
    if (candidates === undefined) return undefined;
    let longest: number | undefined;
    for (const pattern of candidates) {
      const found = walk(pattern, data, start);
      if (found === "partial") {
        if (!final) return "partial";
      } else if (found !== undefined && (longest === undefined || found > longest)) longest = found;
    }
    return longest;
  }
}

function walk({ positions, gaps }: Pattern, data: Uint8Array, start: number): Match {
  let ends: number[] = [start];
  let cut = false;
  for (const [index, position] of positions.entries()) {
    const next = new Set<number>();
    const advance = (from: number): void => {
      for (const spelling of position) {
        const end = follow(data, from, spelling);
        if (end === "partial") cut = true;
        else if (end !== undefined) next.add(end);
      }
    };
    for (const from of ends) {
      advance(from);
      if (index === 0) continue;
      for (const gap of gaps) {
        const after = follow(data, from, gap);
        if (after === "partial") cut = true;
        else if (after !== undefined) advance(after);
      }
    }
    if (next.size === 0) return cut ? "partial" : undefined;
    ends = [...next];
  }
  return Math.max(...ends);
}

function follow(data: Uint8Array, from: number, spelling: Uint8Array): Match {
  for (let index = 0; index < spelling.length; index++) {
    if (from + index >= data.length) return "partial";
    if (data[from + index] !== spelling[index]) return undefined;
  }
  return from + spelling.length;
}
