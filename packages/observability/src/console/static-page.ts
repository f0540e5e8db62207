import { readFile } from "node:fs/promises";

const types = {
  "index.html": "text/html; charset=utf-8",
  "app.js": "text/javascript; charset=utf-8",
  "base.js": "text/javascript; charset=utf-8",
  "comparison.js": "text/javascript; charset=utf-8",
  "evaluations.js": "text/javascript; charset=utf-8",
  "transcript.js": "text/javascript; charset=utf-8",
  "app.css": "text/css; charset=utf-8",
} as const;

const headers = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cache-control": "no-cache",
};

/** The page's files, which ship beside the code. */
export async function page(request: Request, name: string, path: string): Promise<Response> {
  if (request.method !== "GET") return new Response(null, { status: 405, headers: { allow: "GET" } });
  if (new URL(request.url).pathname === path)
    return new Response(null, { status: 308, headers: { location: `${path}/` } });
  const file = name === "" ? "index.html" : name;
  if (!(file in types)) return new Response("There is nothing here.", { status: 404 });
  const body = await readFile(new URL(`../../console/${file}`, import.meta.url), "utf8");
  return new Response(body, { headers: { ...headers, "content-type": types[file as keyof typeof types] } });
}
