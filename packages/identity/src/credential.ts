/** A place in an outbound request, or the environment of a sandbox. Header names count in any case. */
export interface Surface {
  readonly in: "header" | "query" | "cookie" | "body" | "environment";
  /** Header, parameter, cookie or variable name; for `body` a JSON Pointer (`/auth/key`) or a form field's name. */
  readonly name: string;
}

export interface BearerSecret {
  readonly kind: "bearer";
  readonly token: string;
}

export interface ApiKeySecret {
  readonly kind: "api_key";
  readonly key: string;
  readonly in: "header" | "query" | "cookie";
  readonly name: string;
}

export interface BasicSecret {
  readonly kind: "basic";
  readonly username: string;
  readonly password: string;
}

/** A value that programs expect in a variable: the sandbox holds a placeholder, the egress proxy the value. */
export interface EnvironmentSecret {
  readonly kind: "environment";
  readonly name: string;
  readonly value: string;
}

/** Where tokens are asked for. Give `issuer` to discover the endpoints (RFC 8414), or `tokenEndpoint`. */
export interface OAuthServer {
  readonly issuer?: string;
  readonly tokenEndpoint?: string;
  readonly clientId: string;
  readonly clientSecret?: string;
  readonly scopes?: readonly string[];
  /** The resource the token is for (RFC 8707). */
  readonly resource?: string;
  readonly audience?: string;
  /** Ask for tokens that are bound to a key of ours (DPoP, RFC 9449): whoever steals one cannot use it. */
  readonly dpop?: boolean;
}

export interface ClientCredentialsSecret extends OAuthServer {
  readonly kind: "oauth2_client_credentials";
}

/** The client's side of the authorisation code flow; each user's grant is made by `OAuthFlows`. */
export interface AuthorizationCodeSecret extends OAuthServer {
  readonly kind: "oauth2_authorization_code";
  readonly authorizationEndpoint?: string;
  readonly redirectUri: string;
  /** One grant for each user (default), or one that all principals of the credential share. */
  readonly grants?: "user" | "shared";
}

/** RFC 7523: a key signs an assertion, exchanged for an access token at the token endpoint. */
export interface JwtBearerSecret extends OAuthServer {
  readonly kind: "jwt_bearer";
  /** PKCS #8 in PEM. */
  readonly privateKey: string;
  readonly algorithm: "RS256" | "PS256" | "ES256" | "EdDSA";
  readonly keyId?: string;
  readonly subject: string;
  /** Of the assertion; the token endpoint when absent. */
  readonly assertionAudience?: string;
}

/** RFC 8693: the agent's own token is exchanged for one that the resource takes. */
export interface TokenExchangeSecret extends OAuthServer {
  readonly kind: "token_exchange";
  /** Audience of the agent token that is sent; the issuer or token endpoint when absent. */
  readonly subjectAudience?: string;
}

export type CredentialSecret =
  | BearerSecret
  | ApiKeySecret
  | BasicSecret
  | EnvironmentSecret
  | ClientCredentialsSecret
  | AuthorizationCodeSecret
  | JwtBearerSecret
  | TokenExchangeSecret;

export type CredentialKind = CredentialSecret["kind"];

export interface CredentialBinding {
  /**
   * `api.example.com`, `api.example.com:8443`, `*.example.com` (names below it, not itself). Without a port the
   * scheme's own. HTTPS only, unless the host is a loopback address or the entry says `http://…`.
   */
  readonly hosts: readonly string[];
  /** Where the value may stand. Default: the place that the kind says (`authorization` for all but `api_key`). */
  readonly surfaces: readonly Surface[];
  /** Who may use it; absent means everybody of the tenant, and so does an absent list. */
  readonly principals?: { readonly agents?: readonly string[]; readonly users?: readonly string[] };
}

/** Whose it is. A reference resolves to the user's own credential first, then the agent's, then the tenant's. */
export type CredentialOwner = { readonly user: string } | { readonly agent: string };

export interface NewCredential extends Omit<CredentialBinding, "surfaces"> {
  /** `vault://payments/stripe`, or `stripe` for `vault://default/stripe`. */
  readonly reference: string;
  readonly owner?: CredentialOwner;
  readonly surfaces?: readonly Surface[];
  readonly secret: CredentialSecret;
}

/** All that a vault ever tells about a credential. */
export interface CredentialDescription extends CredentialBinding {
  readonly reference: string;
  /** `crd_…`: another one after an archived credential's reference is used again. */
  readonly id: string;
  readonly kind: CredentialKind;
  readonly owner?: CredentialOwner;
  readonly createdAt: number;
  readonly archivedAt?: number;
  /** Newest last. `retiresAt`: until then a reference with `@version` still opens it. */
  readonly versions: readonly { readonly version: number; readonly createdAt: number; readonly retiresAt?: number }[];
}
