/**
 * Searching runs inside QuickJS like any other program: a pattern that backtracks without end is stopped there and
 * never blocks the host. Both functions are sent as source text.
 */
const GLOB_SOURCE: string = String.raw`
  const globExpression = (glob) => {
    let out = "";
    for (let at = 0; at < glob.length; at++) {
      const char = glob[at];
      if (char === "*" && glob[at + 1] === "*") {
        at += 1;
        if (glob[at + 1] === "/") { at += 1; out += "(?:.*/)?"; } else out += ".*";
      } else if (char === "*") out += "[^/]*";
      else if (char === "?") out += "[^/]";
      else if (char === "[" && glob.indexOf("]", at + 2) > 0) {
        const end = glob.indexOf("]", at + 2);
        out += "[" + glob.slice(at + 1, end).replace(/^!/, "^").replace(/\\/g, "\\\\") + "]";
        at = end;
      } else out += char.replace(/[.+^$(){}|\[\]\\]/, "\\$&");
    }
    return new RegExp("^" + out + "$");
  };`;

export const globProgram = (pattern: string, paths: readonly string[], limit: number): string => `(() => {
  ${GLOB_SOURCE}
  const expression = globExpression(${JSON.stringify(pattern)});
  return ${JSON.stringify(paths)}.filter((path) => expression.test(path)).slice(0, ${Number(limit)});
})()`;

export interface GrepRequest {
  readonly pattern: string;
  readonly ignoreCase: boolean;
  readonly glob?: string;
  readonly limit: number;
  /** Where to read, as seen from inside, and the name to match and show. */
  readonly files: readonly { readonly absolute: string; readonly name: string; readonly path: string }[];
}

export const grepProgram = (request: GrepRequest): string => `(() => {
  ${GLOB_SOURCE}
  const { pattern, ignoreCase, glob, limit, files } = ${JSON.stringify(request)};
  const expression = new RegExp(pattern, ignoreCase ? "i" : "");
  const named = glob === undefined ? undefined : globExpression(glob);
  const matches = [];
  for (const { absolute, name, path } of files) {
    if (named && !named.test(name) && !named.test(name.slice(name.lastIndexOf("/") + 1))) continue;
    const text = fs.readFileSync(absolute, "utf8");
    if (text.slice(0, 8000).includes("\\0")) continue;
    const lines = text.split("\\n");
    for (let line = 0; line < lines.length; line++) {
      if (!expression.test(lines[line])) continue;
      matches.push({ path, line: line + 1, text: lines[line].slice(0, 2000) });
      if (matches.length >= limit) return matches;
    }
  }
  return matches;
})()`;
