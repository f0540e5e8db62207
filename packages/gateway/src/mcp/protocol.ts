import type { Json } from "../dialect.ts";

/** The revision without sessions: each request carries its version, its client and its capabilities. */
export const MODERN_VERSION = "2026-07-28";
/** Revisions with a handshake, newest first. */
export const LEGACY_VERSIONS: readonly string[] = ["2025-11-25", "2025-06-18", "2025-03-26"];

export const META = {
  protocolVersion: "io.modelcontextprotocol/protocolVersion",
  clientInfo: "io.modelcontextprotocol/clientInfo",
  clientCapabilities: "io.modelcontextprotocol/clientCapabilities",
  serverInfo: "io.modelcontextprotocol/serverInfo",
  /** Ours: the key under which a target may recognise a repeated call. The header `Idempotency-Key` carries it too. */
  idempotencyKey: "ashlar/idempotencyKey",
} as const;

export const RPC = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  headerMismatch: -32020,
  missingCapability: -32021,
  unsupportedVersion: -32022,
  /** JSON-RPC's range for implementations: refused by the gateway before any handler. */
  refused: -32000,
} as const;

export type RpcId = string | number;

export interface RpcMessage {
  readonly jsonrpc: "2.0";
  readonly id?: RpcId | null;
  readonly method?: string;
  readonly params?: { readonly [key: string]: Json };
  readonly result?: { readonly [key: string]: Json };
  readonly error?: RpcFailure;
}

export interface RpcFailure {
  readonly code: number;
  readonly message: string;
  readonly data?: Json;
}

/** Which parameter the `Mcp-Name` header repeats, by method. */
export const nameParameters: Readonly<Record<string, string>> = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
  "tasks/get": "taskId",
  "tasks/update": "taskId",
  "tasks/cancel": "taskId",
};

const PLAIN_HEADER = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;
const SENTINEL = /^=\?base64\?([A-Za-z0-9+/]*={0,2})\?=$/;

/** A value as a header: as it is where HTTP can carry it, else in the `=?base64?…?=` form of the specification. */
export function encodeHeaderValue(value: string): string {
  if (PLAIN_HEADER.test(value) && !value.startsWith("=?base64?")) return value;
  return `=?base64?${Buffer.from(value, "utf8").toString("base64")}?=`;
}

/** `undefined` when the value announces base64 and is none. */
export function decodeHeaderValue(value: string): string | undefined {
  if (!(value.startsWith("=?base64?") && value.endsWith("?="))) return value;
  const base64 = SENTINEL.exec(value)?.[1];
  if (base64 === undefined) return undefined;
  const bytes = Buffer.from(base64, "base64");
  if (bytes.toString("base64") !== base64) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
