import type { Surface } from "../credential.ts";
import type { Json } from "../dialect.ts";
import type { OutboundRequest } from "../outbound-request.ts";
import { cookies, headerValue } from "./issued.ts";

export const PLACEHOLDER = "ashlar-ref-";

/** Larger bodies pass as they are: a placeholder in them stays one. */
const MAX_BODY_BYTES = 1024 * 1024;

type Body =
  | { readonly kind: "json"; value: Json; changed: boolean }
  | { readonly kind: "form"; readonly value: URLSearchParams; changed: boolean };

/** A request while its placeholders are exchanged. Only declared surfaces are ever written to. */
export class Draft {
  readonly #request: OutboundRequest;
  readonly #url: URL;
  readonly #headers: Map<string, string>;
  readonly #body: Body | undefined;

  static async of(request: OutboundRequest, url: URL): Promise<Draft> {
    const { bytes, body } = await readBody(request.body);
    const read = body === undefined ? request : { ...request, body };
    return new Draft(read, url, bytes === undefined ? undefined : parseBody(request, bytes));
  }

  private constructor(request: OutboundRequest, url: URL, body: Body | undefined) {
    this.#request = request;
    this.#url = new URL(url);
    this.#headers = new Map(Object.entries(request.headers));
    this.#body = body;
  }

  get hasPlaceholder(): boolean {
    return this.has(PLACEHOLDER);
  }

  /** In the URL, a header or a readable body; inside a basic `authorization` too. */
  has(placeholder: string): boolean {
    const headers = [...this.#headers.values()].some((value) => value.includes(placeholder));
    return (
      headers ||
      this.#url.href.includes(placeholder) ||
      basic(this.#headers)?.includes(placeholder) === true ||
      (this.#body?.kind === "json" && JSON.stringify(this.#body.value).includes(placeholder)) ||
      (this.#body?.kind === "form" && this.#body.value.toString().includes(placeholder))
    );
  }

  /** Returns further texts that carry the value, such as a basic pair. */
  replace(placeholder: string, value: string, surfaces: readonly Surface[]): readonly string[] {
    const made: string[] = [];
    for (const surface of surfaces) {
      if (surface.in === "query") this.#query(surface.name, placeholder, value);
      if (surface.in === "header") made.push(...this.#header(surface.name.toLowerCase(), placeholder, value));
      if (surface.in === "cookie") this.#cookie(surface.name, placeholder, value);
      if (surface.in === "body") this.#field(surface.name, placeholder, value);
    }
    return made;
  }

  get request(): OutboundRequest {
    const request = { ...this.#request, url: this.#url.href, headers: Object.fromEntries(this.#headers) };
    if (!this.#body?.changed) return request;
    const { kind, value } = this.#body;
    const body = Buffer.from(kind === "json" ? JSON.stringify(value) : value.toString());
    const headers = Object.entries(request.headers).map(([name, text]) =>
      name.toLowerCase() === "content-length" ? [name, String(body.length)] : [name, text],
    );
    return { ...request, headers: Object.fromEntries(headers), body };
  }

  #query(name: string, placeholder: string, value: string): void {
    for (const each of this.#url.searchParams.getAll(name)) {
      if (each.includes(placeholder)) this.#url.searchParams.set(name, exchange(each, placeholder, value));
    }
  }

  #header(name: string, placeholder: string, value: string): readonly string[] {
    const [spelled, text] = [...this.#headers].find(([each]) => each.toLowerCase() === name) ?? [];
    if (spelled === undefined || text === undefined) return [];
    const pair = name === "authorization" ? basic(this.#headers) : undefined;
    if (pair?.includes(placeholder)) {
      const encoded = Buffer.from(exchange(pair, placeholder, value)).toString("base64");
      this.#headers.set(spelled, `Basic ${encoded}`);
      return [encoded];
    }
    this.#headers.set(spelled, headerValue(exchange(text, placeholder, value)));
    return [];
  }

  #cookie(name: string, placeholder: string, value: string): void {
    const spelled = [...this.#headers.keys()].find((each) => each.toLowerCase() === "cookie");
    if (spelled === undefined) return;
    const pairs = cookies(Object.fromEntries(this.#headers)).map(([each, text]) => [
      each,
      each === name ? exchange(text, placeholder, encodeURIComponent(value)) : text,
    ]);
    this.#headers.set(spelled, pairs.map((pair) => pair.join("=")).join("; "));
  }

  #field(name: string, placeholder: string, value: string): void {
    const body = this.#body;
    if (body?.kind === "form") {
      const found = body.value.get(name);
      if (!found?.includes(placeholder)) return;
      body.value.set(name, exchange(found, placeholder, value));
      body.changed = true;
    } else if (body?.kind === "json") {
      const next = replaceAt(body.value, name.split("/").slice(1).map(unescapeToken), placeholder, value);
      if (next === body.value) return;
      body.value = next;
      body.changed = true;
    }
  }
}

/** A function as replacement: `$&` in a secret means itself. */
const exchange = (text: string, placeholder: string, value: string): string =>
  text.replaceAll(placeholder, () => value);

const unescapeToken = (part: string): string => part.replaceAll("~1", "/").replaceAll("~0", "~");

function replaceAt(node: Json, path: readonly string[], placeholder: string, value: string): Json {
  const [key, ...rest] = path;
  if (key === undefined) return typeof node === "string" ? exchange(node, placeholder, value) : node;
  if (typeof node !== "object" || node === null || !Object.hasOwn(node, key)) return node;
  const child = (node as Readonly<Record<string, Json>>)[key] as Json;
  const next = replaceAt(child, rest, placeholder, value);
  if (next === child) return node;
  return Array.isArray(node)
    ? node.map((each: Json, index) => (String(index) === key ? next : each))
    : { ...node, [key]: next };
}

function basic(headers: ReadonlyMap<string, string>): string | undefined {
  const text = [...headers].find(([name]) => name.toLowerCase() === "authorization")?.[1];
  const encoded = /^basic ([\w+/=-]+)$/i.exec(text ?? "")?.[1];
  return encoded === undefined ? undefined : Buffer.from(encoded, "base64").toString("utf8");
}

function parseBody({ headers }: OutboundRequest, bytes: Uint8Array): Body | undefined {
  const type = Object.entries(headers).find(([name]) => name.toLowerCase() === "content-type")?.[1] ?? "";
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  if (/^application\/x-www-form-urlencoded/i.test(type)) {
    return { kind: "form", value: new URLSearchParams(text), changed: false };
  }
  if (!/^application\/([\w.-]+\+)?json/i.test(type)) return undefined;
  try {
    return { kind: "json", value: JSON.parse(text) as Json, changed: false };
  } catch {
    return undefined;
  }
}

/** Reads a body up to the cap. `body` is what to send on: read bytes again, or the stream from its start. */
async function readBody(
  body: OutboundRequest["body"],
): Promise<{ readonly bytes?: Uint8Array; readonly body?: NonNullable<OutboundRequest["body"]> }> {
  if (body === undefined) return {};
  if (body instanceof Uint8Array) return body.length > MAX_BODY_BYTES ? { body } : { bytes: body, body };
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      const bytes = Buffer.concat(chunks);
      return { bytes, body: bytes };
    }
    chunks.push(value);
    size += value.length;
    if (size > MAX_BODY_BYTES) break;
  }
  return {
    body: new ReadableStream<Uint8Array>({
      async pull(controller) {
        const held = chunks.shift();
        if (held) return controller.enqueue(held);
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    }),
  };
}
