import type { OutboundRequest } from "./credential-injector.ts";

/** Exactly one of `bytes` and `stream` is called, once. Header names are lower case. */
export interface OutboundResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The whole body, decoded; throws over the cap. */
  bytes(): Promise<Uint8Array>;
  /** The body as it comes, decoded; errors over the cap unless it is an event stream. */
  stream(): ReadableStream<Uint8Array>;
}

export interface SendOptions {
  readonly signal?: AbortSignal;
  /** Until the headers are there, and between two chunks of the body. */
  readonly timeoutMs?: number;
}

/** How requests leave the gateway. Follows no redirect: a 3xx is the answer. */
export interface Transport {
  send(request: OutboundRequest, options?: SendOptions): Promise<OutboundResponse>;
  close(): Promise<void>;
}
