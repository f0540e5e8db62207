import { GatewayError } from "../errors.ts";
import { inspectJson } from "../internal/inspect-json.ts";

/** The whole body; refuses one over the cap as soon as it shows, announced or not. */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const announced = Number(request.headers.get("content-length") ?? Number.NaN);
  if (announced > maxBytes) throw tooLarge(maxBytes);
  if (announced <= maxBytes) return request.bytes();
  if (request.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let received = 0;
  for await (const chunk of request.body) {
    received += chunk.byteLength;
    if (received > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Parses a body that is safe to hand on: see `inspectJson`. */
export function parseJson(bytes: Uint8Array): unknown {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  try {
    const value: unknown = JSON.parse(inspectJson(text));
    return value;
  } catch (error) {
    if (GatewayError.is(error)) throw error;
    throw new GatewayError("GATEWAY_INVALID", "The body is not JSON.");
  }
}

const tooLarge = (maxBytes: number): GatewayError =>
  new GatewayError("GATEWAY_TOO_LARGE", `The body is over the cap of ${maxBytes} bytes.`);
