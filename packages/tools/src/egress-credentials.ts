import type { CallContext, Redactor } from "./dialect.ts";

export interface OutboundRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | ReadableStream<Uint8Array>;
}

/** Puts credentials on requests that leave a sandbox, so that no secret is ever inside it. */
export interface EgressCredentials {
  /** Hosts for which a credential is bound to this principal: only for these does the proxy end TLS. */
  hosts(context: CallContext): Promise<readonly string[]>;
  /** The redactor is run over everything that comes back before it enters the sandbox. */
  substitute(
    context: CallContext,
    request: OutboundRequest,
  ): Promise<{ readonly request: OutboundRequest; readonly redactor: Redactor }>;
}
