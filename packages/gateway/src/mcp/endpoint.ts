import { type Answer, emptyAnswer } from "../answer.ts";
import type { CallContext, Json } from "../dialect.ts";
import { GatewayError } from "../errors.ts";
import { type ResourceMetadata, scopeChallenge } from "../http/auth.ts";
import { parseJson, readBody } from "../http/body.ts";
import { problemOf } from "../http/problem.ts";
import { LimitedError } from "../limits/limited-error.ts";
import { ScopeError } from "../scope-guard.ts";
import type { ForwardedMessage, Target } from "../target.ts";
import type { ToolAccess } from "../tool-access.ts";
import type { ToolCatalog } from "../tool-catalog.ts";
import type { ToolRegistry } from "../tool-registry.ts";
import type { ToolSource } from "../tool-source.ts";
import { checkModernHeaders, isModern } from "./modern.ts";
import { LEGACY_VERSIONS, META, MODERN_VERSION, RPC, type RpcId, type RpcMessage } from "./protocol.ts";
import { rpcError, rpcResult } from "./rpc-answer.ts";
import type { SealedSessions } from "./sealed-sessions.ts";
import { served } from "./spans.ts";

export interface McpEndpointDeps {
  readonly registry: ToolRegistry;
  /** What `/mcp` offers: the registry, or a search in front of it. */
  readonly tools: ToolSource;
  readonly catalog: ToolCatalog;
  readonly access: ToolAccess;
  /** Whether messages may go through to MCP servers as they are. */
  readonly transparent: boolean;
  /** Whether an MCP server's own list may be shown as it is. */
  readonly ownLists: boolean;
  readonly sessions: SealedSessions;
  readonly maxBodyBytes: number;
  readonly resource: ResourceMetadata | undefined;
}

/** A request, with the names of its headers where the server has them at hand. */
export interface Asked {
  readonly request: Request;
  readonly headerNames?: readonly string[] | undefined;
}

const SERVER = { name: "ashlar-gateway", version: "1" };
const CAPABILITIES = { tools: { listChanged: false } };

const FORWARDED = ["content-type", "accept", "mcp-protocol-version", "mcp-method", "mcp-name", "last-event-id"];

/** One URL over all targets, in both revisions of the protocol. */
export class McpEndpoint {
  readonly #registry: ToolRegistry;
  readonly #tools: ToolSource;
  readonly #catalog: ToolCatalog;
  readonly #transparent: boolean;
  readonly #ownLists: boolean;
  readonly #access: ToolAccess;
  readonly #sessions: SealedSessions;
  readonly #maxBodyBytes: number;
  readonly #resource: ResourceMetadata | undefined;

  constructor({
    registry,
    tools,
    catalog,
    access,
    transparent,
    ownLists,
    sessions,
    maxBodyBytes,
    resource,
  }: McpEndpointDeps) {
    this.#registry = registry;
    this.#tools = tools;
    this.#catalog = catalog;
    this.#transparent = transparent;
    this.#ownLists = ownLists;
    this.#access = access;
    this.#sessions = sessions;
    this.#maxBodyBytes = maxBodyBytes;
    this.#resource = resource;
  }

  /** `target` narrows the endpoint to one of them. */
  async handle(context: CallContext, asked: Asked, target?: Target): Promise<Answer> {
    const { request } = asked;
    const through = this.#transparent ? (target ?? this.#registry.passThrough) : undefined;
    if (request.method !== "POST") return this.#withoutBody(context, asked, through);
    if (!/^application\/json\s*(;|$)/i.test(request.headers.get("content-type") ?? "")) {
      return rpcError(null, RPC.refused, "Content-Type must be application/json.", { status: 415 });
    }
    let message: RpcMessage;
    let body: Uint8Array;
    try {
      body = await readBody(request, this.#maxBodyBytes);
      message = parseMessage(body);
    } catch (error) {
      const { code, detail, status } = problemOf(error);
      return rpcError(null, code === "GATEWAY_INVALID" ? RPC.parseError : RPC.refused, detail, { status });
    }
    const id = message.id ?? null;
    if (message.jsonrpc !== "2.0" || (id !== null && typeof id !== "string" && typeof id !== "number")) {
      return rpcError(null, RPC.invalidRequest, "The message is not a JSON-RPC 2.0 message.", { status: 400 });
    }
    const keyed = withKey(context, message);
    try {
      return await served(message, () =>
        through?.forward === undefined
          ? this.#answer(keyed, request, message, target)
          : this.#forward(keyed, asked, through, message, body),
      );
    } catch (error) {
      const answer = failure(id, error, isModern(request.headers, message));
      if (error instanceof ScopeError) answer.headers["www-authenticate"] = scopeChallenge(error, this.#resource);
      return answer;
    }
  }

  async #withoutBody(context: CallContext, asked: Asked, through: Target | undefined): Promise<Answer> {
    const { method } = asked.request;
    if ((method === "GET" || method === "DELETE") && through?.forward !== undefined) {
      try {
        return await this.#pass(context, asked, through, method);
      } catch (error) {
        return failure(null, error);
      }
    }
    const refused = rpcError(null, RPC.refused, "Method not allowed.", { status: 405 });
    refused.headers.allow = "POST";
    return refused;
  }

  async #forward(
    context: CallContext,
    asked: Asked,
    target: Target,
    message: RpcMessage,
    body: Uint8Array,
  ): Promise<Answer> {
    const { request } = asked;
    if (isModern(request.headers, message)) {
      const mismatch = checkModernHeaders(request.headers, message);
      if (mismatch !== undefined) return mismatch;
    }
    if (message.method === "tools/list" && !this.#ownLists) return this.#answer(context, request, message, target);
    if (message.method !== "tools/call") return this.#pass(context, asked, target, "POST", body);
    const { name, arguments: args } = message.params ?? {};
    if (typeof name !== "string") {
      return rpcError(message.id ?? null, RPC.invalidParams, "params.name must be a string.");
    }
    return this.#access.forward(context, target, name, args ?? {}, () =>
      this.#pass(context, asked, target, "POST", body),
    );
  }

  async #pass(
    context: CallContext,
    { request, headerNames = [...request.headers.keys()] }: Asked,
    target: Target,
    method: ForwardedMessage["method"],
    body?: Uint8Array,
  ): Promise<Answer> {
    if (target.forward === undefined) throw new GatewayError("GATEWAY_INVALID", `${target.name} does not speak MCP.`);
    const headers: Record<string, string> = {};
    for (const name of FORWARDED) {
      const value = request.headers.get(name);
      if (value !== null) headers[name] = value;
    }
    for (const name of headerNames) {
      if (name.startsWith("mcp-param-")) headers[name] = request.headers.get(name) ?? "";
    }
    const sealed = request.headers.get("mcp-session-id");
    if (sealed !== null) {
      const session = this.#sessions.open(context.principal, target.name, sealed);
      if (session === undefined) return rpcError(null, RPC.refused, "Session not found", { status: 404 });
      headers["mcp-session-id"] = session;
    }
    const answer = await target.forward(context, { method, headers, ...(body === undefined ? {} : { body }) });
    const session = answer.headers["mcp-session-id"];
    if (session !== undefined) {
      answer.headers["mcp-session-id"] = this.#sessions.seal(context.principal, target.name, session);
    }
    return answer;
  }

  async #answer(
    context: CallContext,
    request: Request,
    message: RpcMessage,
    target: Target | undefined,
  ): Promise<Answer> {
    const { method } = message;
    if (method === undefined || message.id === undefined || message.id === null) {
      return emptyAnswer(202);
    }
    const modern = isModern(request.headers, message);
    if (modern) {
      const mismatch = checkModernHeaders(request.headers, message);
      if (mismatch !== undefined) return mismatch;
    }
    const { id, params = {} } = message;
    switch (method) {
      case "initialize":
        if (modern) break;
        return rpcResult(id, {
          protocolVersion: LEGACY_VERSIONS.find((each) => each === params.protocolVersion) ?? LEGACY_VERSIONS[0],
          capabilities: CAPABILITIES,
          serverInfo: SERVER,
        });
      case "ping":
        if (modern) break;
        return rpcResult(id, {});
      case "server/discover":
        if (!modern) break;
        return this.#complete(id, modern, { supportedVersions: [MODERN_VERSION], capabilities: CAPABILITIES });
      case "tools/list": {
        const tools = target === undefined ? this.#tools.list(context) : this.#catalog.list(context, target);
        return this.#complete(id, modern, { tools: (await tools) as unknown as Json });
      }
      case "tools/call":
        return this.#call(context, id, modern, params, target);
    }
    return rpcError(id, RPC.methodNotFound, `Method not found: ${method.slice(0, 128)}`, {
      ...(modern ? { status: 404 } : {}),
    });
  }

  async #call(
    context: CallContext,
    id: RpcId,
    modern: boolean,
    { name, arguments: args = {} }: { readonly [key: string]: Json },
    target: Target | undefined,
  ): Promise<Answer> {
    if (typeof name !== "string") return rpcError(id, RPC.invalidParams, "params.name must be a string.");
    const result =
      target === undefined
        ? await this.#tools.call(context, name, args)
        : await this.#access.call(context, target, name, args);
    return rpcResult(id, modern ? { ...result, resultType: "complete", _meta: identity } : result);
  }

  #complete(id: RpcId, modern: boolean, result: { readonly [key: string]: Json }): Answer {
    if (!modern) return rpcResult(id, result);
    return rpcResult(id, { ...result, resultType: "complete", ttlMs: 0, cacheScope: "private", _meta: identity });
  }
}

const identity = { [META.serverInfo]: SERVER };

function parseMessage(body: Uint8Array): RpcMessage {
  const message = parseJson(body);
  if (typeof message !== "object" || message === null || Array.isArray(message)) {
    throw new GatewayError("GATEWAY_INVALID", "One JSON-RPC message is expected, as an object.");
  }
  return message as RpcMessage;
}

function withKey(context: CallContext, { params }: RpcMessage): CallContext {
  const key = (params?._meta as { readonly [key: string]: Json } | undefined)?.[META.idempotencyKey];
  return context.idempotencyKey === undefined && typeof key === "string"
    ? { ...context, idempotencyKey: key }
    : context;
}

function failure(id: RpcId | null, error: unknown, modern = false): Answer {
  const { kind, detail, status, code, retryAfterMs } = problemOf(error);
  if (error instanceof LimitedError) {
    const answer = rpcError(id, RPC.refused, detail, { status, data: { code, retryAfterMs: retryAfterMs ?? 0 } });
    Object.assign(answer.headers, error.headers);
    return answer;
  }
  if (error instanceof ScopeError) return rpcError(id, RPC.refused, detail, { status, data: { code } });
  if (kind === "denied") {
    return id === null
      ? rpcError(id, RPC.refused, detail, { status })
      : rpcResult(id, {
          content: [{ type: "text", text: detail }],
          isError: true,
          ...(modern ? { resultType: "complete", _meta: identity } : {}),
        });
  }
  const rpcCode = kind === "invalid" || kind === "not_found" ? RPC.invalidParams : RPC.internalError;
  return rpcError(id, rpcCode, detail, { data: { code } });
}
