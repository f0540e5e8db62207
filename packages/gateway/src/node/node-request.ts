import type { IncomingMessage } from "node:http";
import { GatewayError } from "../errors.ts";

const INCOMING = Symbol("incoming");
const REAL = Symbol("real");
const HEADERS = Symbol("headers");
const CONTROLLER = Symbol("controller");
const URL_TEXT = Symbol("url");
export const ABORT: unique symbol = Symbol("abort");
export const TAKEN: unique symbol = Symbol("taken");

export interface NodeRequest extends Request {
  /** For what happens to the connection. */
  [ABORT](reason: Error): void;
  /** Whether the body was asked for. */
  readonly [TAKEN]: boolean;
}

interface State {
  [INCOMING]: IncomingMessage;
  [REAL]?: Request;
  [HEADERS]?: Headers;
  [CONTROLLER]?: AbortController;
  [URL_TEXT]?: string;
  [TAKEN]?: boolean;
}

type Self = State & NodeRequest;

/**
 * A `Request` over Node's own message. Method, address, headers, signal and whole body come straight from it; the real
 * `Request`, which costs as much as answering one, is made only when something else is asked for.
 */
export function nodeRequest(incoming: IncomingMessage): NodeRequest {
  const request = Object.create(prototype) as NodeRequest & State;
  request[INCOMING] = incoming;
  return request;
}

const PLAIN_PATH = /^\/[\w!$&'()*+,;=:@~./-]*(\?[\w!$&'()*+,;=:@~.%/?-]*)?$/;
const PLAIN_HOST = /^[a-z0-9.-]+(:\d{1,5})?$/;

function addressOf({ headers: { host = "localhost" }, url = "/" }: IncomingMessage): string {
  if (PLAIN_HOST.test(host) && PLAIN_PATH.test(url) && !url.includes("/.")) return `http://${host}${url}`;
  const absolute = /^https?:\/\//i.test(url) ? url : `http://${host}${url.startsWith("/") ? url : `/${url}`}`;
  if (!URL.canParse(absolute) || /[/\\@?#]/.test(host)) {
    throw new GatewayError("GATEWAY_INVALID", "The request's address or its Host header is not one.");
  }
  return new URL(absolute).href;
}

function real(request: Self): Request {
  const { method } = request;
  const bodiless = method === "GET" || method === "HEAD";
  request[REAL] ??= new Request(request.url, {
    method,
    headers: everyHeader(request[INCOMING]),
    signal: request.signal,
    ...(bodiless ? {} : { body: bodyOf(request), duplex: "half" }),
  } as RequestInit);
  return request[REAL];
}

function bodyOf(request: Self): ReadableStream<Uint8Array> {
  request[TAKEN] = true;
  const chunks = request[INCOMING][Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await chunks.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

function everyHeader({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2) headers.append(rawHeaders[at] ?? "", rawHeaders[at + 1] ?? "");
  return headers;
}

/** Looks a header up where Node keeps it; the real `Headers` are made when all are asked for, or one is set. */
class NodeHeaders {
  readonly #incoming: IncomingMessage;
  #real: Headers | undefined;

  constructor(incoming: IncomingMessage) {
    this.#incoming = incoming;
  }

  get(name: string): string | null {
    if (this.#real !== undefined) return this.#real.get(name);
    const value = this.#incoming.headers[name.toLowerCase()];
    if (value === undefined) return null;
    return typeof value === "string" ? value : this.real.get(name);
  }

  has(name: string): boolean {
    return this.#real === undefined ? Object.hasOwn(this.#incoming.headers, name.toLowerCase()) : this.#real.has(name);
  }

  get real(): Headers {
    this.#real ??= everyHeader(this.#incoming);
    return this.#real;
  }
}
for (const name of ["append", "delete", "set", "getSetCookie", "keys", "values", "entries", "forEach"] as const) {
  Object.defineProperty(NodeHeaders.prototype, name, {
    value(this: NodeHeaders, ...args: readonly unknown[]) {
      return (this.real[name] as (...args: readonly unknown[]) => unknown)(...args);
    },
  });
}
Object.defineProperty(NodeHeaders.prototype, Symbol.iterator, {
  value(this: NodeHeaders) {
    return this.real[Symbol.iterator]();
  },
});
Object.setPrototypeOf(NodeHeaders.prototype, Headers.prototype);

/** The bytes as they are; refuses a second reading like a `Request` does. */
function whole(request: Self): Promise<Buffer> {
  if (request[TAKEN]) return Promise.reject(new TypeError("Body is unusable: Body has already been read"));
  request[TAKEN] = true;
  const incoming = request[INCOMING];
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.once("end", () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    incoming.once("error", reject);
  });
}

const prototype: object = Object.create(Request.prototype, {
  ...getters({
    method: ({ [INCOMING]: { method = "GET" } }) => method,
    url: (self) => {
      self[URL_TEXT] ??= addressOf(self[INCOMING]);
      return self[URL_TEXT];
    },
    headers: (self) => {
      self[HEADERS] ??= new NodeHeaders(self[INCOMING]) as unknown as Headers;
      return self[HEADERS];
    },
    signal: (self) => {
      self[CONTROLLER] ??= new AbortController();
      return self[CONTROLLER].signal;
    },
    bodyUsed: (self) => self[REAL]?.bodyUsed ?? self[TAKEN] === true,
  }),
  ...getters(
    Object.fromEntries(
      [
        "body",
        "cache",
        "credentials",
        "destination",
        "duplex",
        "integrity",
        "keepalive",
        "mode",
        "redirect",
        "referrer",
        "referrerPolicy",
      ].map((name) => [name, (self: Self) => real(self)[name as keyof Request]]),
    ),
  ),
  ...methods({
    bytes: (self) => (self[REAL] === undefined ? whole(self) : self[REAL].bytes()),
    arrayBuffer: async (self) => {
      if (self[REAL] !== undefined) return self[REAL].arrayBuffer();
      const { buffer, byteOffset, byteLength } = await whole(self);
      return buffer.slice(byteOffset, byteOffset + byteLength);
    },
    text: async (self) => (self[REAL] === undefined ? (await whole(self)).toString("utf8") : self[REAL].text()),
    json: async (self) => JSON.parse(await self.text()) as unknown,
    blob: (self) => real(self).blob(),
    formData: (self) => real(self).formData(),
    clone: (self) => real(self).clone(),
    [ABORT]: (self, reason) => {
      self[CONTROLLER] ??= new AbortController();
      self[CONTROLLER].abort(reason);
    },
  }),
});

function getters(all: Readonly<Record<string, (self: Self) => unknown>>): PropertyDescriptorMap {
  return Object.fromEntries(
    Object.entries(all).map(([name, of]) => [
      name,
      {
        get(this: Self) {
          return of(this);
        },
      },
    ]),
  );
}

function methods(all: Readonly<Record<PropertyKey, (self: Self, given: unknown) => unknown>>): PropertyDescriptorMap {
  return Object.fromEntries(
    Reflect.ownKeys(all).map((name) => [
      name,
      {
        value(this: Self, given: unknown) {
          return all[name]?.(this, given);
        },
      },
    ]),
  ) as PropertyDescriptorMap;
}
