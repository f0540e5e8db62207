import type { CallContext, Json } from "../dialect.ts";
import { GatewayError } from "../errors.ts";
import { traceHeaders } from "../internal/tracing.ts";
import { encodeHeaderValue } from "../mcp/protocol.ts";
import type { Target, TargetAuth, TargetFactory, TargetParts } from "../target.ts";
import { authorisedSender, type Send } from "../targets/authorised-sender.ts";
import { refusal } from "../targets/mcp-answer.ts";
import type { ToolDescription, ToolResult } from "../tool-source.ts";
import { type ApiDocument, isNode, type Node, parseText, readDocument } from "./document.ts";
import { type Operation, operationsOf } from "./operations.ts";
import { References } from "./references.ts";
import { buildRequest } from "./request.ts";
import { baseUrl } from "./servers.ts";
import { type ToolShape, toolShape } from "./tool-shape.ts";
import { argumentValidator } from "./validator.ts";

export interface OpenApiTargetOptions {
  readonly name: string;
  /** JSON or YAML text, or the parsed document; or a `URL` to fetch it from. */
  readonly document: string | object | URL;
  /** Where calls go. Default: the document's first server. */
  readonly baseUrl?: string;
  readonly auth?: TargetAuth;
  /** Which operations become tools. Default: all. */
  readonly include?: (operation: { readonly name: string; readonly method: string; readonly path: string }) => boolean;
  readonly timeoutMs?: number;
  /** Characters of one answer that the caller gets. Default 256 Ki. */
  readonly maxOutputChars?: number;
}

/** The operations of an OpenAPI 3.0 or 3.1 or Swagger 2 document as tools. Schemas are written when asked for. */
export const openApiTarget =
  (options: OpenApiTargetOptions): TargetFactory =>
  (parts) =>
    new OpenApiTarget(options, parts);

interface Loaded {
  readonly document: ApiDocument;
  readonly references: References;
  readonly operations: ReadonlyMap<string, Operation>;
  readonly base: string;
}

interface Tool {
  readonly shape: ToolShape;
  readonly validate: (args: Json) => void;
}

const MAX_DOCUMENTS = 64;

class OpenApiTarget implements Target {
  readonly name: string;
  readonly #options: OpenApiTargetOptions;
  readonly #parts: TargetParts;
  readonly #send: Send;
  readonly #shapes = new Map<string, ToolShape>();
  readonly #tools = new Map<string, Tool>();
  #loading: Promise<Loaded> | undefined;

  constructor(options: OpenApiTargetOptions, parts: TargetParts) {
    this.name = options.name;
    this.#options = options;
    this.#parts = parts;
    this.#send = authorisedSender({ name: options.name, ...parts, auth: options.auth });
  }

  async list(): Promise<readonly ToolDescription[]> {
    const loaded = await this.#load();
    return [...loaded.operations.values()].map((operation) => this.#shape(loaded, operation).description);
  }

  async call(context: CallContext, name: string, args: Json): Promise<ToolResult> {
    const loaded = await this.#load();
    const operation = loaded.operations.get(name);
    if (operation === undefined) throw new GatewayError("GATEWAY_NOT_FOUND", `${this.name} has no tool ${name}.`);
    if (!isNode(args)) throw new GatewayError("GATEWAY_INVALID", `The arguments of ${name} must be an object.`);
    const { shape, validate } = this.#tool(loaded, operation);
    validate(args as Json);
    const request = buildRequest(loaded.base, operation.method, operation.path, shape, args as { [key: string]: Json });
    const { idempotencyKey, signal } = context;
    const { timeoutMs, maxOutputChars = 256 * 1024 } = this.#options;
    const response = await this.#send(
      context,
      {
        ...request,
        headers: {
          ...request.headers,
          ...traceHeaders(),
          ...(idempotencyKey === undefined ? {} : { "idempotency-key": encodeHeaderValue(idempotencyKey) }),
        },
      },
      { ...(signal === undefined ? {} : { signal }), ...(timeoutMs === undefined ? {} : { timeoutMs }) },
    );
    const { status, headers } = response;
    const bytes = await response.bytes();
    if (status === 401 || status === 429 || status >= 500) throw refusal(this.name, response);
    return toResult(status, headers["content-type"] ?? "", bytes, maxOutputChars);
  }

  #load(): Promise<Loaded> {
    this.#loading ??= this.#read().catch((error) => {
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  async #read(): Promise<Loaded> {
    const { document: source, include = () => true } = this.#options;
    const address = source instanceof URL ? source.href : undefined;
    const text = source instanceof URL ? await this.#fetch(source.href) : (source as string | Node);
    const document = readDocument(text);
    const references = new References(document.root, address);
    await this.#readOthers(references, document.root);
    const operations = new Map([...operationsOf(document, references)].filter(([, operation]) => include(operation)));
    return { document, references, operations, base: this.#options.baseUrl ?? baseUrl(document, address) };
  }

  async #readOthers(references: References, main: Node): Promise<void> {
    const open = [...references.external(main, "")];
    for (let count = 0; open.length > 0; count++) {
      const address = open.shift() ?? "";
      if (references.has(address)) continue;
      if (count >= MAX_DOCUMENTS) {
        throw new GatewayError(
          "GATEWAY_INVALID",
          `The API document of ${this.name} refers to over ${MAX_DOCUMENTS} others.`,
        );
      }
      const other = parseText(await this.#fetch(address));
      if (!isNode(other)) throw new GatewayError("GATEWAY_INVALID", "A document that is referred to is not an object.");
      references.add(address, other);
      open.push(...references.external(other, address));
    }
  }

  /** Through the guarded transport, so that a reference to `file:` or to the metadata service leads nowhere. */
  async #fetch(address: string): Promise<string> {
    if (!/^https?:/i.test(address)) {
      throw new GatewayError(
        "GATEWAY_DENIED",
        `A reference of ${this.name} leads to something that is not http or https.`,
      );
    }
    const response = await this.#parts.transport.send({ method: "GET", url: address, headers: {} });
    const bytes = await response.bytes();
    if (response.status !== 200) throw refusal(this.name, response);
    return Buffer.from(bytes).toString("utf8");
  }

  #shape({ document, references }: Loaded, operation: Operation): ToolShape {
    let shape = this.#shapes.get(operation.name);
    if (shape === undefined) {
      shape = toolShape(operation, references, document.dialect);
      this.#shapes.set(operation.name, shape);
    }
    return shape;
  }

  #tool(loaded: Loaded, operation: Operation): Tool {
    let tool = this.#tools.get(operation.name);
    if (tool === undefined) {
      const shape = this.#shape(loaded, operation);
      tool = { shape, validate: argumentValidator(operation.name, shape.description.inputSchema) };
      this.#tools.set(operation.name, tool);
    }
    return tool;
  }
}

function toResult(status: number, type: string, bytes: Uint8Array, maxChars: number): ToolResult {
  const full = /^(text\/|application\/([a-z0-9.-]+\+)?(json|xml|yaml)\b)|^$/i.test(type)
    ? Buffer.from(bytes).toString("utf8")
    : `${bytes.byteLength} bytes of ${type}`;
  const cut = full.length > maxChars;
  const text = cut ? `${full.slice(0, maxChars)}\n[cut: ${full.length} characters]` : full;
  const failed = status >= 300;
  const content = [{ type: "text", text: failed ? `HTTP ${status}\n${text}` : text }];
  const structured = !failed && !cut && /[/+]json\b/i.test(type) ? parseObject(full) : undefined;
  return {
    content,
    ...(structured === undefined ? {} : { structuredContent: structured }),
    ...(failed ? { isError: true } : {}),
  };
}

function parseObject(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isNode(value) ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}
