import { GatewayError } from "../errors.ts";
import { readSse } from "../http/sse.ts";
import type { RpcId, RpcMessage } from "../mcp/protocol.ts";
import type { OutboundResponse } from "../transport.ts";

/** The message that answers `id`, from a JSON body or out of an event stream; what else the stream holds goes to `other`. */
export async function rpcAnswer(
  target: string,
  response: OutboundResponse,
  id: RpcId,
  other?: (message: RpcMessage) => void,
): Promise<RpcMessage> {
  const type = response.headers["content-type"] ?? "";
  if (type.startsWith("text/event-stream") && response.status === 200) {
    for await (const { data } of readSse(response.stream())) {
      if (data === "") continue;
      const message = parse(target, data);
      if (message.id === id && message.method === undefined) return message;
      other?.(message);
    }
    throw new GatewayError("GATEWAY_TARGET_UNAVAILABLE", `Target ${target} closed its stream before it answered.`);
  }
  const bytes = await response.bytes();
  if (type.startsWith("application/json")) {
    const message = parse(target, Buffer.from(bytes).toString("utf8"));
    if (response.status === 200 || message.error !== undefined) return message;
  }
  throw refusal(target, response);
}

/** What an HTTP status of a target means for the caller. Never repeats the target's own text. */
export function refusal(
  target: string,
  { status, headers }: Pick<OutboundResponse, "status" | "headers">,
): GatewayError {
  if (status === 401 || status === 403) {
    return new GatewayError("GATEWAY_TARGET_FAILED", `Target ${target} refused the gateway's credential (${status}).`);
  }
  const retryAfterMs = Number(headers["retry-after"]) * 1000;
  if (status === 429 || status >= 500) {
    return new GatewayError("GATEWAY_TARGET_UNAVAILABLE", `Target ${target} answered ${status}.`, {
      ...(Number.isFinite(retryAfterMs) ? { retryAfterMs } : {}),
    });
  }
  return new GatewayError("GATEWAY_TARGET_FAILED", `Target ${target} answered ${status} where MCP was expected.`);
}

function parse(target: string, text: string): RpcMessage {
  try {
    return JSON.parse(text) as RpcMessage;
  } catch {
    throw new GatewayError("GATEWAY_TARGET_FAILED", `Target ${target} answered with something that is not JSON.`);
  }
}
