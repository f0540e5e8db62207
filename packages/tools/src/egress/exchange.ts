import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { Duplex, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from "node:zlib";
import type { OutboundRequest } from "../egress-credentials.ts";
import type { AnswerCleaner, AnswerHeaders } from "./answer-cleaner.ts";
import { HOP_BY_HOP } from "./hop-by-hop.ts";

/** What may not be asked of a bound host: parts of an answer, and encodings, could carry a secret past the redactor. */
const DROPPED = new Set([...HOP_BY_HOP, "host", "expect", "range", "if-range", "accept-encoding"]);
/** What no longer fits an answer that was decoded and redacted. */
const STALE = new Set([...HOP_BY_HOP, "content-length", "content-encoding", "content-digest", "content-md5", "digest"]);

/** The request of a program inside, as credentials take it. */
export function outboundRequest(request: IncomingMessage, url: URL): OutboundRequest {
  const headers: Record<string, string> = { host: url.host };
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined && !DROPPED.has(name)) headers[name] = [value].flat().join(", ");
  }
  headers["accept-encoding"] = "identity";
  const { "content-length": length, "transfer-encoding": encoding } = request.headers;
  const empty = encoding === undefined && (length === undefined || length === "0");
  const body = empty ? {} : { body: Readable.toWeb(request) as OutboundRequest["body"] & object };
  return { method: request.method ?? "GET", url: url.href, headers, ...body };
}

/** Sends the request over the open connection, and its answer to `response` cleaned, all of it. */
export async function exchange(
  { method, url, headers, body }: OutboundRequest,
  cleaner: AnswerCleaner,
  upstream: Duplex,
  response: ServerResponse,
): Promise<void> {
  const { pathname, search } = new URL(url);
  const sized = body instanceof Uint8Array ? { "content-length": String(body.byteLength) } : {};
  const outgoing = httpRequest({
    createConnection: () => upstream,
    ...{ method, path: pathname + search, headers: { ...headers, ...sized, connection: "close" } },
  });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once("response", resolve).once("error", reject);
    outgoing.once("upgrade", () => reject(new Error("The host changed the protocol.")));
  });
  answered.catch(() => {});
  outgoing.on("error", () => outgoing.destroy());
  if (body === undefined || body instanceof Uint8Array) outgoing.end(body);
  else pipeline(Readable.fromWeb(body as ReadableStream), outgoing).catch(() => outgoing.destroy());
  await answer(await answered, cleaner, response);
}

async function answer(from: IncomingMessage, cleaner: AnswerCleaner, response: ServerResponse): Promise<void> {
  const decoders = decodersOf(from.headers["content-encoding"]);
  if (decoders === undefined) {
    from.destroy();
    response.writeHead(502).end("The answer came in an encoding that this proxy cannot read.\n");
    return;
  }
  const kept = Object.entries(from.headers).filter(([name, value]) => value !== undefined && !STALE.has(name));
  const headers = await cleaner.headers(Object.fromEntries(kept) as AnswerHeaders);
  response.statusCode = from.statusCode ?? 502;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  await pipeline([from, ...decoders, Duplex.fromWeb(cleaner.stream() as never), response]);
}

const DECODERS: Readonly<Record<string, () => Duplex>> = {
  gzip: createGunzip,
  "x-gzip": createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
};

/** In the order in which they have to be undone; `undefined` when one is not known. */
function decodersOf(encoding = ""): readonly Duplex[] | undefined {
  const names = encoding
    .toLowerCase()
    .split(",")
    .map((name) => name.trim());
  const makers = names.filter((name) => name !== "" && name !== "identity").map((name) => DECODERS[name]);
  if (makers.length > 4) return undefined;
  const made = makers.reverse().map((make) => make?.());
  return made.every((each) => each !== undefined) ? made : undefined;
}
