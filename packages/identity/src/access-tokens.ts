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

/** Turns OAuth credentials into access tokens. Throws `IDENTITY_CONSENT_REQUIRED` where a user has to agree first. */
export interface AccessTokens {
  accessToken(context: CallContext, grant: OpenedGrant): Promise<string>;
}
