import type { Answer } from "../answer.ts";
import type { CallContext, Json } from "../dialect.ts";
import { GatewayError } from "../errors.ts";
import { traceHeaders } from "../internal/tracing.ts";
import {
  encodeHeaderValue,
  LEGACY_VERSIONS,
  META,
  MODERN_VERSION,
  RPC,
  type RpcFailure,
  type RpcMessage,
} from "../mcp/protocol.ts";
import { asked } from "../mcp/spans.ts";
import type { ForwardedMessage, Target, TargetAuth, TargetFactory, TargetParts } from "../target.ts";
import type { TargetOAuth } from "../target-oauth.ts";
import type { ToolDescription, ToolResult } from "../tool-source.ts";
import type { OutboundResponse } from "../transport.ts";
import { authorisedSender, type Send } from "./authorised-sender.ts";
import { challengedSender } from "./challenged-sender.ts";
import { KeptLists } from "./kept-lists.ts";
import { refusal, rpcAnswer } from "./mcp-answer.ts";
import { RepeatedArguments } from "./repeated-arguments.ts";

export interface McpTargetOptions {
  readonly name: string;
  /** The server's streamable HTTP endpoint. */
  readonly url: string;
  readonly auth?: TargetAuth;
  /** For a server that asks for tokens by OAuth; see `McpOAuth` of `./mcp-oauth`. */
  readonly oauth?: TargetOAuth;
  /** Sent with every request. Never put a secret here: that is what `auth` is for. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** An MCP server over streamable HTTP, of either revision; which one it speaks is asked once. */
export const mcpTarget =
  (options: McpTargetOptions): TargetFactory =>
  (parts) =>
    new McpTarget(options, parts);

interface Session {
  readonly version: string;
  readonly id?: string;
}

const CLIENT = { name: "ashlar-gateway", version: "1" };
const MAX_SESSIONS = 1000;
const MAX_PAGES = 100;

class McpTarget implements Target {
  readonly name: string;
  readonly #options: McpTargetOptions;
  readonly #send: Send;
  /** By principal: a server may bind a session to the credential that opened it. */
  readonly #sessions = new Map<string, Promise<Session>>();
  readonly #repeated = new RepeatedArguments();
  readonly #lists: KeptLists;
  #nextId = 1;

  constructor(options: McpTargetOptions, { transport, injector, clock }: TargetParts) {
    this.name = options.name;
    this.#options = options;
    this.#lists = new KeptLists(clock);
    const send = authorisedSender({ name: options.name, transport, injector, auth: options.auth });
    this.#send = options.oauth === undefined ? send : challengedSender(send, options.oauth);
  }

  async list(context: CallContext): Promise<readonly ToolDescription[]> {
    return this.#lists.of(context) ?? (await this.#listed(context));
  }

  async #listed(context: CallContext): Promise<readonly ToolDescription[]> {
    const pages: { readonly [key: string]: Json }[] = [];
    let cursor: Json | undefined;
    do {
      if (pages.length === MAX_PAGES) {
        throw new GatewayError(
          "GATEWAY_TARGET_FAILED",
          `Target ${this.name} has more than ${MAX_PAGES} pages of tools.`,
        );
      }
      const page = await this.#request(context, "tools/list", cursor === undefined ? {} : { cursor });
      pages.push(page);
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    const all = pages.flatMap(({ tools }) => (tools ?? []) as unknown as readonly ToolDescription[]);
    const { version } = await this.#session(context, sessionKey(context));
    const tools = version === MODERN_VERSION ? this.#repeated.usable(all) : all;
    this.#lists.keep(context, tools, pages);
    return tools;
  }

  async call(context: CallContext, name: string, args: Json): Promise<ToolResult> {
    const { idempotencyKey } = context;
    const result = await this.#request(context, "tools/call", {
      name,
      arguments: args,
      ...(idempotencyKey === undefined ? {} : { _meta: { [META.idempotencyKey]: idempotencyKey } }),
    });
    const { content = [], structuredContent, isError } = result as unknown as Partial<ToolResult>;
    return {
      content,
      ...(structuredContent === undefined ? {} : { structuredContent }),
      ...(isError === undefined ? {} : { isError }),
    };
  }

  async forward(context: CallContext, { method, headers, body }: ForwardedMessage): Promise<Answer> {
    const answer = await this.#send(
      context,
      {
        method,
        url: this.#options.url,
        headers: { ...this.#options.headers, ...headers, ...traceHeaders(), ...keyHeader(context) },
        ...(body === undefined ? {} : { body }),
      },
      this.#sendOptions(context),
    );
    if (answer.status === 401 || answer.status === 403) {
      await answer.stream().cancel();
      throw refusal(this.name, answer);
    }
    const streamed = answer.headers["content-type"]?.startsWith("text/event-stream") ?? false;
    const given = streamed ? answer.stream() : await answer.bytes();
    const empty = given instanceof Uint8Array && given.byteLength === 0;
    return { status: answer.status, headers: passedBack(answer), body: empty ? null : given };
  }

  #request(
    context: CallContext,
    method: string,
    params: { readonly [key: string]: Json },
  ): Promise<{ readonly [key: string]: Json }> {
    return asked(method, params, async (sent, span) => {
      const result = await this.#asked(context, method, sent);
      if (result.isError === true) span.setAttribute("error.type", "tool_error");
      return result;
    });
  }

  async #asked(
    context: CallContext,
    method: string,
    params: { readonly [key: string]: Json },
  ): Promise<{ readonly [key: string]: Json }> {
    const key = sessionKey(context);
    const session = await this.#session(context, key);
    let { answer, response } = await this.#exchange(context, session, method, params);
    if (response.status === 404 && session.id !== undefined) {
      this.#sessions.delete(key);
      ({ answer, response } = await this.#exchange(context, await this.#session(context, key), method, params));
    }
    if (answer.error !== undefined) throw this.#failure(answer.error.code, answer.error.message);
    if (answer.result === undefined) {
      throw new GatewayError("GATEWAY_TARGET_FAILED", `Target ${this.name} answered without a result.`);
    }
    return answer.result;
  }

  #session(context: CallContext, key: string): Promise<Session> {
    const known = this.#sessions.get(key);
    if (known !== undefined) return known;
    if (this.#sessions.size >= MAX_SESSIONS) {
      const [oldest] = this.#sessions.keys();
      if (oldest !== undefined) this.#sessions.delete(oldest);
    }
    const opening = this.#open(context);
    this.#sessions.set(key, opening);
    opening.catch(() => this.#sessions.delete(key));
    return opening;
  }

  async #open(context: CallContext): Promise<Session> {
    const modern: Session = { version: MODERN_VERSION };
    let answer = await this.#discover(context, modern);
    // A server that turns the version down and names it as supported wants to be asked again.
    if (answer?.error !== undefined && offersModern(answer.error)) answer = await this.#discover(context, modern);
    return answer?.result === undefined ? this.#initialize(context) : modern;
  }

  async #discover(context: CallContext, modern: Session): Promise<RpcMessage | undefined> {
    try {
      return (await this.#exchange(context, modern, "server/discover", {})).answer;
    } catch (error) {
      if (GatewayError.is(error) && error.code === "GATEWAY_TARGET_FAILED") return undefined;
      throw error;
    }
  }

  async #initialize(context: CallContext): Promise<Session> {
    const { answer, response } = await this.#exchange(context, undefined, "initialize", {
      protocolVersion: LEGACY_VERSIONS[0] ?? "",
      capabilities: {},
      clientInfo: CLIENT,
    });
    if (answer.error !== undefined) throw this.#failure(answer.error.code, answer.error.message);
    const version = String(answer.result?.protocolVersion);
    if (!LEGACY_VERSIONS.includes(version)) {
      throw new GatewayError("GATEWAY_TARGET_FAILED", `Target ${this.name} speaks no MCP revision that is known here.`);
    }
    const id = response.headers["mcp-session-id"];
    const session: Session = { version, ...(id === undefined ? {} : { id }) };
    const ready = await this.#post(context, session, { jsonrpc: "2.0", method: "notifications/initialized" });
    await ready.bytes();
    return session;
  }

  async #exchange(
    context: CallContext,
    session: Session | undefined,
    method: string,
    params: { readonly [key: string]: Json },
  ): Promise<{ readonly answer: RpcMessage; readonly response: OutboundResponse }> {
    const id = this.#nextId++;
    const response = await this.#post(context, session, { jsonrpc: "2.0", id, method, params });
    if (response.status === 404 && session?.id !== undefined) {
      await response.bytes();
      return { answer: { jsonrpc: "2.0" }, response };
    }
    return { answer: await rpcAnswer(this.name, response, id), response };
  }

  #post(context: CallContext, session: Session | undefined, message: RpcMessage): Promise<OutboundResponse> {
    const modern = session?.version === MODERN_VERSION;
    const headers: Record<string, string> = {
      ...this.#options.headers,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...traceHeaders(),
      ...keyHeader(context),
    };
    if (session !== undefined) headers["mcp-protocol-version"] = session.version;
    if (session?.id !== undefined) headers["mcp-session-id"] = session.id;
    let sent = message;
    if (modern) {
      headers["mcp-method"] = message.method ?? "";
      if (typeof message.params?.name === "string") headers["mcp-name"] = encodeHeaderValue(message.params.name);
      if (message.method === "tools/call") Object.assign(headers, this.#repeated.headers(message.params));
      sent = { ...message, params: withEnvelope(message.params) };
    }
    return this.#send(
      context,
      { method: "POST", url: this.#options.url, headers, body: Buffer.from(JSON.stringify(sent)) },
      this.#sendOptions(context),
    );
  }

  #sendOptions({ signal }: CallContext): { signal?: AbortSignal; timeoutMs?: number } {
    const { timeoutMs } = this.#options;
    return { ...(signal === undefined ? {} : { signal }), ...(timeoutMs === undefined ? {} : { timeoutMs }) };
  }

  #failure(code: number, message: string): GatewayError {
    const invalid = code === -32602 || code === -32601;
    return new GatewayError(invalid ? "GATEWAY_INVALID" : "GATEWAY_TARGET_FAILED", `Target ${this.name}: ${message}`);
  }
}

function offersModern({ code, data }: RpcFailure): boolean {
  const { supported } = Object(data) as { readonly supported?: unknown };
  return code === RPC.unsupportedVersion && Array.isArray(supported) && supported.includes(MODERN_VERSION);
}

function withEnvelope(params: RpcMessage["params"] = {}): { readonly [key: string]: Json } {
  return {
    ...params,
    _meta: {
      ...(params._meta as { readonly [key: string]: Json } | undefined),
      [META.protocolVersion]: MODERN_VERSION,
      [META.clientInfo]: CLIENT,
      [META.clientCapabilities]: {},
    },
  };
}

function passedBack({ headers }: OutboundResponse): Record<string, string> {
  const result: Record<string, string> = {};
  for (const name of [
    "content-type",
    "mcp-session-id",
    "mcp-protocol-version",
    "cache-control",
    "retry-after",
    "allow",
  ]) {
    const value = headers[name];
    if (value !== undefined) result[name] = value;
  }
  return result;
}

const keyHeader = ({ idempotencyKey }: CallContext): Record<string, string> =>
  idempotencyKey === undefined ? {} : { "idempotency-key": encodeHeaderValue(idempotencyKey) };

const sessionKey = ({ principal: { tenant, user, agent, session } }: CallContext): string =>
  JSON.stringify([tenant, user, agent, session]);
