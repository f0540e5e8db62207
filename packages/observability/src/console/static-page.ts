import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { extname } from "node:path";
import { gzipSync } from "node:zlib";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

const headers = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cache-control": "no-cache",
  vary: "accept-encoding",
};

interface PageFile {
  readonly type: string;
  readonly plain: Uint8Array<ArrayBuffer>;
  readonly packed: Uint8Array<ArrayBuffer>;
  readonly etag: string;
}

const folder = new URL("../../console/", import.meta.url);
let files: Promise<ReadonlyMap<string, PageFile>> | undefined;

/** The page's files, which ship beside the code; read once. */
export async function page(request: Request, name: string, path: string): Promise<Response> {
  if (request.method !== "GET") return new Response(null, { status: 405, headers: { allow: "GET" } });
  if (new URL(request.url).pathname === path)
    return new Response(null, { status: 308, headers: { location: `${path}/` } });
  files ??= readAll();
  const file = (await files).get(name === "" ? "index.html" : name);
  if (file === undefined) return new Response("There is nothing here.", { status: 404 });
  const { type, plain, packed, etag } = file;
  const own = { ...headers, etag, "content-type": type };
  if (request.headers.get("if-none-match") === etag) return new Response(null, { status: 304, headers: own });
  if (!/\bgzip\b/.test(request.headers.get("accept-encoding") ?? "")) return new Response(plain, { headers: own });
  return new Response(packed, { headers: { ...own, "content-encoding": "gzip" } });
}

async function readAll(): Promise<ReadonlyMap<string, PageFile>> {
  const known = (await readdir(folder)).filter((name) => types[extname(name)] !== undefined);
  return new Map(
    await Promise.all(
      known.map(async (name): Promise<[string, PageFile]> => {
        const plain = new Uint8Array(await readFile(new URL(name, folder)));
        const etag = `W/"${createHash("sha256").update(plain).digest("base64url").slice(0, 22)}"`;
        const packed = new Uint8Array(gzipSync(plain));
        return [name, { type: types[extname(name)] ?? "", plain, packed, etag }];
      }),
    ),
  );
}
