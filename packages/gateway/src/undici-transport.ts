import { lookup as systemLookup } from "node:dns";
import { Readable } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import ipaddr from "ipaddr.js";
import { Agent, type Dispatcher } from "undici";
import type { OutboundRequest } from "./credential-injector.ts";
import { GatewayError } from "./errors.ts";
import { isPublic } from "./internal/guarded-fetch.ts";
import type { OutboundResponse, SendOptions, Transport } from "./transport.ts";

export interface UndiciTransportOptions {
  /** Names that may be, or resolve to, private addresses: `"tickets.internal"`, or with a port `"127.0.0.1:4100"`. */
  readonly allow?: readonly string[];
  /** Decoded bytes of one answer. Event streams are not counted: they are bounded by their consumer. Default 16 MiB. */
  readonly maxBytes?: number;
  /** Default 60 s. */
  readonly timeoutMs?: number;
  /** Sockets per origin. Default 64. */
  readonly connections?: number;
  /** PEM certificates to trust beside the system's. */
  readonly ca?: string | readonly string[];
  readonly lookup?: typeof systemLookup;
}

/**
 * Pooled connections that resolve a name once and dial that very address, and dial nothing that is not public unless
 * its name is allowed.
 */
export class UndiciTransport implements Transport {
  readonly #allowed: ReadonlySet<string>;
  readonly #maxBytes: number;
  readonly #timeoutMs: number;
  readonly #guarded: Agent;
  readonly #trusted: Agent;

  constructor({
    allow = [],
    maxBytes = 16 * 1024 * 1024,
    timeoutMs = 60_000,
    connections = 64,
    ca,
    lookup = systemLookup,
  }: UndiciTransportOptions = {}) {
    this.#allowed = new Set(allow.map((name) => name.toLowerCase()));
    this.#maxBytes = maxBytes;
    this.#timeoutMs = timeoutMs;
    const trust = ca === undefined ? {} : { ca: [ca].flat() as string[] };
    this.#guarded = new Agent({ connections, connect: { ...trust, lookup: refusePrivate(lookup) } });
    this.#trusted = new Agent({ connections, connect: { ...trust, lookup } });
  }

  async send(
    request: OutboundRequest,
    { signal, timeoutMs = this.#timeoutMs }: SendOptions = {},
  ): Promise<OutboundResponse> {
    const url = new URL(request.url);
    if (url.protocol !== "http:" && url.protocol !== "https:") {
      throw new GatewayError("GATEWAY_DENIED", `Only http and https can be called, not ${url.protocol}`);
    }
    const { body } = request;
    try {
      const answer = await this.#agentFor(url).request({
        origin: url.origin,
        path: url.pathname + url.search,
        method: request.method as Dispatcher.HttpMethod,
        headers: request.headers,
        body: body instanceof ReadableStream ? Readable.fromWeb(body as never) : (body ?? null),
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
        ...(signal === undefined ? {} : { signal }),
      });
      return new UndiciResponse(url, answer, this.#maxBytes);
    } catch (error) {
      throw explain(error, url, signal);
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#guarded.destroy(), this.#trusted.destroy()]);
  }

  #agentFor(url: URL): Agent {
    const port = url.port || (url.protocol === "https:" ? "443" : "80");
    if (this.#allowed.has(url.hostname) || this.#allowed.has(`${url.hostname}:${port}`)) return this.#trusted;
    const literal = url.hostname.replace(/^\[|\]$/g, "");
    if (ipaddr.isValid(literal) && !isPublic(literal)) throw denied(url.hostname);
    return this.#guarded;
  }
}

class UndiciResponse implements OutboundResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly #url: URL;
  readonly #body: Readable;
  readonly #maxBytes: number;

  constructor(url: URL, { statusCode, headers, body }: Dispatcher.ResponseData, maxBytes: number) {
    this.#url = url;
    this.status = statusCode;
    this.headers = flat(headers);
    this.#maxBytes = this.headers["content-type"]?.startsWith("text/event-stream")
      ? Number.POSITIVE_INFINITY
      : maxBytes;
    this.#body = decoded(body, this.headers["content-encoding"]);
  }

  async bytes(): Promise<Uint8Array> {
    const chunks: Buffer[] = [];
    let received = 0;
    try {
      for await (const chunk of this.#body) {
        received += (chunk as Buffer).length;
        if (received > this.#maxBytes) throw tooLarge(this.#url, this.#maxBytes);
        chunks.push(chunk as Buffer);
      }
    } catch (error) {
      throw explain(error, this.#url);
    }
    return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
  }

  stream(): ReadableStream<Uint8Array> {
    const url = this.#url;
    const maxBytes = this.#maxBytes;
    const chunks = this.#body[Symbol.asyncIterator]();
    let received = 0;
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          try {
            const { done, value } = await chunks.next();
            if (done) return controller.close();
            received += (value as Buffer).length;
            if (received > maxBytes) throw tooLarge(url, maxBytes);
            controller.enqueue(value as Buffer);
          } catch (error) {
            await chunks.return?.();
            controller.error(explain(error, url));
          }
        },
        async cancel() {
          await chunks.return?.();
        },
      },
      { highWaterMark: 0 },
    );
  }
}

function flat(headers: Dispatcher.ResponseData["headers"]): Record<string, string> {
  const result: Record<string, string> = Object.create(null);
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) result[name] = typeof value === "string" ? value : value.join(", ");
  }
  return result;
}

const decoders = {
  gzip: createGunzip,
  "x-gzip": createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
} as const;

function decoded(body: Readable, encoding: string | undefined): Readable {
  if (encoding === undefined || encoding === "identity") return body;
  const decoder = decoders[encoding.trim().toLowerCase() as keyof typeof decoders];
  if (decoder === undefined) {
    body.destroy();
    throw new GatewayError("GATEWAY_TARGET_FAILED", "The target answered in an encoding that was not asked for.");
  }
  const plain = decoder();
  body.on("error", (error) => plain.destroy(error));
  plain.on("close", () => body.destroy());
  return body.pipe(plain);
}

function refusePrivate(lookup: typeof systemLookup): typeof systemLookup {
  const guarded = (host: string, options: object, done: (...result: unknown[]) => void) =>
    lookup(host, { ...options, all: true }, (error, found) => {
      if (error) return done(error);
      if (found.length === 0 || found.some(({ address }) => !isPublic(address))) return done(denied(host));
      const [first] = found;
      return "all" in options && options.all ? done(null, found) : done(null, first?.address, first?.family);
    });
  return guarded as typeof systemLookup;
}

function explain(error: unknown, { origin }: URL, signal?: AbortSignal): unknown {
  if (GatewayError.is(error)) return error;
  if (signal?.aborted || (error as Error | undefined)?.name === "AbortError") {
    return new GatewayError("GATEWAY_CANCELLED", `The call to ${origin} was cancelled.`);
  }
  const code = (error as { code?: string } | undefined)?.code;
  if (code === "UND_ERR_HEADERS_TIMEOUT" || code === "UND_ERR_BODY_TIMEOUT" || code === "UND_ERR_CONNECT_TIMEOUT") {
    return new GatewayError("GATEWAY_TARGET_UNAVAILABLE", `${origin} did not answer in time.`);
  }
  return new GatewayError(
    "GATEWAY_TARGET_UNAVAILABLE",
    `${origin} could not be reached${code === undefined ? "" : ` (${code})`}.`,
  );
}

const denied = (host: string): GatewayError =>
  new GatewayError(
    "GATEWAY_DENIED",
    `${host} is, or resolves to, an address that is not public. If that is meant, name it in \`allow\`.`,
  );

const tooLarge = ({ origin }: URL, maxBytes: number): GatewayError =>
  new GatewayError("GATEWAY_OUTPUT_TOO_LARGE", `The answer of ${origin} is over the cap of ${maxBytes} bytes.`);
