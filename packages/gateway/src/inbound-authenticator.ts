import type { Principal } from "./dialect.ts";

/** Tells who is calling. The gateway never reads a tenant, a user or a session from anywhere else. */
export interface InboundAuthenticator {
  /**
   * `undefined`: no credentials were presented. Throws kind `unauthenticated` when they are wrong, expired or meant
   * for somebody else. Reads headers only: the body belongs to the handler.
   */
  authenticate(request: Request): Promise<Principal | undefined>;
}
