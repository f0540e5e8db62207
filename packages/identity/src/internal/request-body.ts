import type { Json } from "../dialect.ts";
import type { OutboundRequest } from "../outbound-request.ts";

/** Larger bodies pass as they are. */
const MAX_BODY_BYTES = 1024 * 1024;

type Content = { readonly kind: "json"; value: Json } | { readonly kind: "form"; readonly value: URLSearchParams };

/** The fields of a JSON or form body, by JSON Pointer or by name. */
export class BodyFields {
  readonly #content: Content;
  #changed = false;

  private constructor(content: Content) {
    this.#content = content;
  }

  /** `undefined` when the body is neither. */
  static read({ headers }: OutboundRequest, bytes: Uint8Array): BodyFields | undefined {
    const type = Object.entries(headers).find(([name]) => name.toLowerCase() === "content-type")?.[1] ?? "";
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
    if (/^application\/x-www-form-urlencoded/i.test(type)) {
      return new BodyFields({ kind: "form", value: new URLSearchParams(text) });
    }
    if (!/^application\/([\w.-]+\+)?json/i.test(type)) return undefined;
    try {
      return new BodyFields({ kind: "json", value: JSON.parse(text) as Json });
    } catch {
      return undefined;
    }
  }

  get changed(): boolean {
    return this.#changed;
  }

  get text(): string {
    return this.#content.kind === "json" ? JSON.stringify(this.#content.value) : this.#content.value.toString();
  }

  /** Writes what `change` makes of the field: of its text, or of `undefined` where there is none. */
  change(name: string, change: (text: string | undefined) => string | undefined): void {
    const content = this.#content;
    if (content.kind === "form") {
      const before = content.value.get(name) ?? undefined;
      const after = change(before);
      if (after === undefined || after === before) return;
      content.value.set(name, after);
      this.#changed = true;
      return;
    }
    const next = changed(content.value, name.split("/").slice(1).map(unescaped), change);
    if (next === content.value) return;
    content.value = next;
    this.#changed = true;
  }
}

const unescaped = (part: string): string => part.replaceAll("~1", "/").replaceAll("~0", "~");

function changed(node: Json, path: readonly string[], change: (text: string | undefined) => string | undefined): Json {
  const [key, ...rest] = path;
  if (key === undefined) return typeof node === "string" ? (change(node) ?? node) : node;
  if (typeof node !== "object" || node === null) return node;
  if (!Object.hasOwn(node, key)) {
    const made = rest.length === 0 && !Array.isArray(node) ? change(undefined) : undefined;
    return made === undefined ? node : { ...node, [key]: made };
  }
  const child = (node as Readonly<Record<string, Json>>)[key] as Json;
  const next = changed(child, rest, change);
  if (next === child) return node;
  return Array.isArray(node)
    ? node.map((each: Json, index) => (String(index) === key ? next : each))
    : { ...node, [key]: next };
}

/** Reads a body up to the cap. `body` is what to send on: read bytes again, or the stream from its start. */
export async function readBody(
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

/** The request with another body, and a `content-length` that is true where it had one. */
export function withBody(request: OutboundRequest, text: string): OutboundRequest {
  const body = Buffer.from(text);
  const headers = Object.entries(request.headers).map(([name, value]) =>
    name.toLowerCase() === "content-length" ? [name, String(body.length)] : [name, value],
  );
  return { ...request, headers: Object.fromEntries(headers), body };
}
