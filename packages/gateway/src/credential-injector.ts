import type { CallContext, Redactor } from "./dialect.ts";

/** A request on its way out of the gateway. Header names are lower case. */
export interface OutboundRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | ReadableStream<Uint8Array>;
}

/** Turns a reference into an authorised request. The gateway's configuration, logs and spans hold references only. */
export interface CredentialInjector {
  /** Throws kind `denied` when the reference is not bound to this principal or to this destination. */
  inject(
    context: CallContext,
    reference: string,
    request: OutboundRequest,
  ): Promise<{
    readonly request: OutboundRequest;
    /** Run over everything that comes back, before it crosses any joint. */
    readonly redactor: Redactor;
  }>;
}
