import type { Attributes, Span } from "@opentelemetry/api";
import type { Answer } from "../answer.ts";
import type { Json } from "../dialect.ts";
import { callerTraces, inSpan, SpanKind, traceHeaders, withCallerTrace } from "../internal/tracing.ts";
import type { RpcMessage } from "./protocol.ts";

const KNOWN = /^[a-z]+(?:\/[a-zA-Z_]+)*$/;

/** One MCP request as a server sees it, on the trace that its `_meta` or its HTTP request names. */
export function served(message: RpcMessage, body: () => Promise<Answer>): Promise<Answer> {
  const { method, id, params } = message;
  if (method === undefined || id === undefined || id === null || !KNOWN.test(method)) return body();
  const { name, attributes } = described(method, params);
  attributes["jsonrpc.request.id"] = String(id);
  // Who traces says itself that it executes a tool: it is not to be counted twice.
  if (method === "tools/call" && !callerTraces()) attributes["gen_ai.operation.name"] = "execute_tool";
  return inMetaTrace(params, () => inSpan(name, SpanKind.SERVER, attributes, body));
}

/** One MCP request as a client sees it. `sent` is what goes out: its `_meta` carries the trace. */
export function asked<T>(
  method: string,
  params: { readonly [key: string]: Json },
  body: (sent: { readonly [key: string]: Json }, span: Span) => Promise<T>,
): Promise<T> {
  const { name, attributes } = described(method, params);
  return inSpan(name, SpanKind.CLIENT, attributes, (span) => {
    const carried = traceHeaders();
    const none = Object.keys(carried).length === 0;
    return body(none ? params : { ...params, _meta: { ...Object(params._meta), ...carried } }, span);
  });
}

function described(method: string, params: RpcMessage["params"]): { name: string; attributes: Attributes } {
  const attributes: Attributes = { "mcp.method.name": method };
  const about = method === "tools/call" || method === "prompts/get" ? params?.name : undefined;
  if (typeof about === "string" && about.length <= 128) {
    attributes[method === "tools/call" ? "gen_ai.tool.name" : "gen_ai.prompt.name"] = about;
    return { name: `${method} ${about}`, attributes };
  }
  if (method.startsWith("resources/") && typeof params?.uri === "string") attributes["mcp.resource.uri"] = params.uri;
  return { name: method, attributes };
}

function inMetaTrace<T>(params: RpcMessage["params"], body: () => T): T {
  const { traceparent, tracestate } = Object(params?._meta) as { readonly [key: string]: Json };
  if (typeof traceparent !== "string" || callerTraces()) return body();
  const headers = new Headers({ traceparent });
  if (typeof tracestate === "string") headers.set("tracestate", tracestate);
  return withCallerTrace(headers, body);
}
