import type { CredentialDescription, OAuthServer } from "./credential.ts";
import type { CallContext } from "./dialect.ts";

/** A credential that is opened for one call, as an `AccessTokens` sees it. */
export interface OpenedGrant {
  readonly reference: string;
  readonly recordId: string;
  /** `crd_…`: a reference that is used again after archiving means another credential. */
  readonly credential: string;
  readonly version: number;
  readonly secret: OAuthServer & { readonly kind: CredentialDescription["kind"] };
}

export interface AccessToken {
  readonly value: string;
  /** Where the token is bound to a key: a proof for one request, to be sent as `dpop` (RFC 9449). */
  readonly prove?: (request: ProvenRequest) => Promise<string>;
}

export interface ProvenRequest {
  readonly method: string;
  readonly url: URL;
  /** That the resource asked for, in an answer's `dpop-nonce`. */
  readonly nonce?: string;
}

/** Turns OAuth credentials into access tokens. Throws `IDENTITY_CONSENT_REQUIRED` where a user has to agree first. */
export interface AccessTokens {
  accessToken(context: CallContext, grant: OpenedGrant): Promise<AccessToken>;
}
