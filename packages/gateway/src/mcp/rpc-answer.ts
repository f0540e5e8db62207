import type { Answer } from "../answer.ts";
import type { Json } from "../dialect.ts";
import type { RpcFailure, RpcId } from "./protocol.ts";

export const rpcResult = (id: RpcId, result: object): Answer => ({
  status: 200,
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ jsonrpc: "2.0", id, result }),
});

export function rpcError(
  id: RpcId | null,
  code: number,
  message: string,
  { status = 200, data }: { readonly status?: number; readonly data?: Json } = {},
): Answer {
  const error: RpcFailure = { code, message, ...(data === undefined ? {} : { data }) };
  return {
    status,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id, error }),
  };
}
