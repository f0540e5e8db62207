import type { Answer } from "../answer.ts";
import type { Json } from "../dialect.ts";
import { decodeHeaderValue, META, MODERN_VERSION, nameParameters, RPC, type RpcMessage } from "./protocol.ts";
import { rpcError } from "./rpc-answer.ts";

const metaOf = ({ params }: RpcMessage): { readonly [key: string]: Json } =>
  (params?._meta as { readonly [key: string]: Json } | undefined) ?? {};

/** Does the message claim the stateless revision, in its body or in its header? Revisions are dates and sort as text. */
export function isModern(headers: Headers, message: RpcMessage): boolean {
  const claimed = metaOf(message)[META.protocolVersion] ?? headers.get("mcp-protocol-version");
  return typeof claimed === "string" && claimed >= MODERN_VERSION;
}

/**
 * The stateless revision repeats in headers what intermediaries route by. A header that disagrees with the body would
 * let a message be judged as one thing and run as another: the answer is then an error, else `undefined`.
 */
export function checkModernHeaders(headers: Headers, message: RpcMessage): Answer | undefined {
  const { id = null, method } = message;
  if (method === undefined) return undefined;
  const meta = metaOf(message);
  const isRequest = id !== null;
  const version = headers.get("mcp-protocol-version");
  const claimed = meta[META.protocolVersion];
  if (isRequest) {
    for (const key of [META.protocolVersion, META.clientCapabilities]) {
      if (meta[key] === undefined) {
        return rpcError(id, RPC.invalidParams, `Invalid params: _meta lacks ${key}.`, { status: 400 });
      }
    }
    if (version === null) return mismatch(id, "(missing)", "the required MCP-Protocol-Version header is absent");
  }
  if (version !== null && claimed !== undefined && version !== claimed) {
    return mismatch(id, version, `the body names protocol version ${String(claimed)}`);
  }
  const named = claimed ?? version;
  if (named !== MODERN_VERSION) {
    return rpcError(id, RPC.unsupportedVersion, `Unsupported protocol version: ${String(named)}`, {
      status: 400,
      data: { supported: [MODERN_VERSION], requested: String(named) },
    });
  }
  const methodHeader = headers.get("mcp-method");
  if (methodHeader === null) {
    return isRequest ? mismatch(id, "(missing)", "the required Mcp-Method header is absent") : undefined;
  }
  if (methodHeader !== method) return mismatch(id, methodHeader, `the body names method ${method}`);
  return isRequest ? checkName(headers, message) : undefined;
}

function checkName(headers: Headers, { id = null, method = "", params }: RpcMessage): Answer | undefined {
  const field = Object.hasOwn(nameParameters, method) ? nameParameters[method] : undefined;
  if (field === undefined) return undefined;
  const value = params?.[field];
  const header = headers.get("mcp-name");
  if (typeof value !== "string") return undefined;
  if (header === null) return mismatch(id, "(missing)", "the required Mcp-Name header is absent");
  if (decodeHeaderValue(header) !== value) return mismatch(id, header, `the body carries another params.${field}`);
  return undefined;
}

function mismatch(id: RpcMessage["id"], header: string, body: string): Answer {
  return rpcError(id ?? null, RPC.headerMismatch, `Bad Request: the headers and the body disagree: ${body}`, {
    status: 400,
    data: { mismatch: { header, body } },
  });
}
