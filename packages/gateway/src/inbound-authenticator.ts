import type { Principal } from "./dialect.ts";

/** A principal, and what its credential says beside that: for the gateway alone, it goes no further. */
export interface Caller extends Principal {
  /** For limits by claim. */
  readonly claims?: Readonly<Record<string, string>>;
  /** What the credential may be used for; absent, it says nothing of scopes. */
  readonly scopes?: readonly string[];
  /** Streams and sockets end with the credential. */
  readonly expiresAt?: number;
}

/** Tells who is calling. The gateway never reads a tenant, a user or a session from anywhere else. */
export interface InboundAuthenticator {
  /**
   * `undefined`: no credentials were presented. Throws kind `unauthenticated` when they are wrong, expired or meant
   * for somebody else. Reads headers only: the body belongs to the handler.
   */
  authenticate(request: Request): Promise<Caller | undefined>;
}
