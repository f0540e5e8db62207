import { GatewayError } from "../errors.ts";

const MAX_DEPTH = 128;
const MAX_KEYS = 50_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Gives the text back if every reader will see the same thing in it. Refuses what makes readers disagree (one key twice
 * in an object, `__proto__`) and what breaks them later (nesting too deep to write again, too many keys). Whether the
 * text is JSON at all is for `JSON.parse` to say.
 */
export function inspectJson(text: string): string {
  const objects: (Set<string> | undefined)[] = [];
  let keys = 0;
  let expectKey = false;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE: {
        const end = endOfString(text, at);
        if (expectKey) {
          expectKey = false;
          if (++keys > MAX_KEYS) throw refused(`has more than ${MAX_KEYS} keys`);
          addKey(objects[objects.length - 1], text.slice(at + 1, end));
        }
        at = end;
        break;
      }
      case 0x7b: // {
        objects.push(new Set());
        expectKey = true;
        if (objects.length > MAX_DEPTH) throw refused(`is nested deeper than ${MAX_DEPTH} levels`);
        break;
      case 0x5b: // [
        objects.push(undefined);
        expectKey = false;
        if (objects.length > MAX_DEPTH) throw refused(`is nested deeper than ${MAX_DEPTH} levels`);
        break;
      case 0x7d: // }
      case 0x5d: // ]
        objects.pop();
        expectKey = false;
        break;
      case 0x2c: // ,
        expectKey = objects[objects.length - 1] !== undefined;
        break;
    }
  }
  return text;
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at++;
    else if (code === QUOTE) return at;
  }
  return text.length;
}

function addKey(seen: Set<string> | undefined, raw: string): void {
  const key = raw.includes("\\") ? unescaped(raw) : raw;
  if (key === "__proto__") throw refused("has a key named __proto__");
  if (seen === undefined) return;
  if (seen.has(key)) throw refused("has the same key twice in one object");
  seen.add(key);
}

function unescaped(raw: string): string {
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return raw;
  }
}

const refused = (what: string): GatewayError => new GatewayError("GATEWAY_INVALID", `The body ${what}.`);
