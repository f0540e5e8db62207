import type { Json } from "../dialect.ts";
import type { RpcFailure, RpcId } from "./protocol.ts";

const headers = { "content-type": "application/json" };

export function rpcResult(id: RpcId, result: object, extra?: Record<string, string>): Response {
  return new Response(JSON.stringify({ jsonrpc: "2.0", id, result }), {
    headers: extra === undefined ? headers : { ...headers, ...extra },
  });
}

export function rpcError(
  id: RpcId | null,
  code: number,
  message: string,
  { status = 200, data }: { readonly status?: number; readonly data?: Json } = {},
): Response {
  const error: RpcFailure = { code, message, ...(data === undefined ? {} : { data }) };
  return new Response(JSON.stringify({ jsonrpc: "2.0", id, error }), { status, headers });
}
