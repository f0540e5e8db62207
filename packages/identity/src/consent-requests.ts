import type { CallContext } from "./dialect.ts";

/** A user's grant that cannot be renewed without them. */
export interface EndedGrant {
  readonly reference: string;
  /** An earlier refresh was cut off (a crash, a lost answer), and the server does not take its refresh token twice. */
  readonly interrupted: boolean;
}

/**
 * Asks a user to agree again, as soon as it is known that they must: by mail, in a chat, on a page that leads to
 * `OAuthFlows.start`. Called at least once for each grant that ends, whatever the number of calls and processes that
 * wait for it. A rejection leaves it to the next call.
 */
export interface ConsentRequests {
  request(context: CallContext, ended: EndedGrant): Promise<void>;
}
