const HIDDEN = new Set(["script", "style", "template", "noscript", "svg", "head"]);
const BREAKS = new Set(["p", "div", "br", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "section", "article", "pre"]);
const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " " };

/** The readable text of a page in one linear pass: good enough for a model, no parser for anything else. */
export function htmlText(html: string): string {
  let out = "";
  for (let at = 0; at < html.length; ) {
    const open = html.indexOf("<", at);
    out += html.slice(at, open < 0 ? undefined : open);
    if (open < 0) break;
    if (html.startsWith("<!--", open)) {
      at = after(html, "-->", open);
      continue;
    }
    const close = after(html, ">", open);
    const name = /^<\/?([a-z0-9]+)/i.exec(html.slice(open, Math.min(close, open + 24)))?.[1]?.toLowerCase();
    if (name === undefined && !/[!/?]/.test(html[open + 1] ?? "")) {
      out += "<";
      at = open + 1;
      continue;
    }
    if (name !== undefined && BREAKS.has(name)) out += "\n";
    at = name !== undefined && HIDDEN.has(name) && html[open + 1] !== "/" ? skip(html, name, close) : close;
  }
  return out
    .replace(/&(#x?[0-9a-f]{1,6}|[a-z]{2,6});/gi, (whole, code: string) => entity(code) ?? whole)
    .split("\n")
    .map((line) => line.replace(/[ \t\r]+/g, " ").trim())
    .filter((line, index, all) => line !== "" || all[index - 1] !== "")
    .join("\n")
    .trim();
}

function skip(html: string, name: string, from: number): number {
  const end = html.slice(from).search(new RegExp(`</${name}`, "i"));
  return end < 0 ? html.length : after(html, ">", from + end);
}

function after(html: string, mark: string, from: number): number {
  const found = html.indexOf(mark, from);
  return found < 0 ? html.length : found + mark.length;
}

function entity(code: string): string | undefined {
  if (!code.startsWith("#")) return ENTITIES[code.toLowerCase()];
  const point = /^#x/i.test(code) ? Number.parseInt(code.slice(2), 16) : Number.parseInt(code.slice(1), 10);
  return point > 0 && point <= 0x10ffff ? String.fromCodePoint(point) : undefined;
}
