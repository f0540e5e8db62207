import type { CallContext } from "./dialect.ts";

/** What an MCP server asked for when it refused a request. */
export interface OAuthChallenge {
  /** Of the server's endpoint. */
  readonly url: string;
  /** 401, or 403 when the token is good for too little. */
  readonly status: number;
  /** Its `WWW-Authenticate`. */
  readonly header: string | undefined;
}

/** Gets tokens for an MCP server that asks for them by OAuth. Who the token is for is the context's principal. */
export interface TargetOAuth {
  /** `undefined` where there is none yet. */
  token(context: CallContext): Promise<string | undefined>;
  /** Gets another one; false when there is nothing better to come back with. Throws where a person must consent. */
  challenged(context: CallContext, challenge: OAuthChallenge): Promise<boolean>;
}
