import { GatewayError } from "../errors.ts";

/** Nothing to decode and no empty or dot segment: most addresses are so. */
const PLAIN = /^https?:\/\/[^/?#]+\/([\w~-][\w.~-]*(?:\/[\w~-][\w.~-]*)*)$/;

/**
 * The path's segments, each decoded once. Refuses what some server on the way might read as another path: empty or dot
 * segments, slashes, backslashes and control characters inside one.
 */
export function pathOf(url: string): readonly string[] {
  const plain = PLAIN.exec(url)?.[1];
  if (plain !== undefined) return plain.split("/");
  const { pathname } = new URL(url);
  const segments = pathname.slice(1).split("/");
  if (segments.length > 1 && segments.at(-1) === "") segments.pop();
  return segments.map(decoded);
}

function decoded(segment: string): string {
  let text: string;
  try {
    text = decodeURIComponent(segment);
  } catch {
    throw new GatewayError("GATEWAY_INVALID", "The path is not percent-encoded UTF-8.");
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (/[/\\\u0000-\u001f\u007f]/.test(text) || text === ".." || text === ".") {
    throw new GatewayError("GATEWAY_INVALID", "The path has a segment that is not a name.");
  }
  return text;
}
