import type { ServiceIdentifier } from "inversify";
import type { AccessTokens } from "../access-tokens.ts";
import type { AgentTokens } from "../agent-tokens.ts";
import type { AuditLog } from "../audit-log.ts";
import type { AuditStore } from "../audit-store.ts";
import type { BearerAuthenticator } from "../bearer-authenticator.ts";
import type { Connections } from "../connections.ts";
import type { ConsentRequests } from "../consent-requests.ts";
import type { Egress } from "../egress.ts";
import type { IdentityStore } from "../identity-store.ts";
import type { Injector } from "../injector.ts";
import type { Fetch } from "../internal/guarded-fetch.ts";
import type { SqliteDatabase } from "../internal/sqlite.ts";
import type { IssuerEndpoint } from "../issuer-endpoint.ts";
import type { KeyWrapper } from "../key-wrapper.ts";
import type { Keyring } from "../keyring.ts";
import type { LeakGuard } from "../leak-guard.ts";
import type { OAuthFlows } from "../oauth-flows.ts";
import type { Permissions, RoleSource } from "../permissions.ts";
import type { PolicySource } from "../policy.ts";
import type { ProtectedResources } from "../protected-resource.ts";
import type { RedisClient } from "../redis/redis-client.ts";
import type { KeyringSealer } from "../sealer.ts";
import type { SigningKeys } from "../signing-keys.ts";
import type { TrustedIssuer } from "../trusted-issuer.ts";
import type { Vault } from "../vault.ts";
import { token } from "./binding.ts";

export { CLOCK, IDS } from "./binding.ts";

export interface IdentityOptions {
  /** The `iss` of the tokens issued here. */
  readonly issuer: string;
  /** What inbound tokens must name as their audience. */
  readonly audience: string;
}

/** To be bound by the root. */
export const KEY_WRAPPER: ServiceIdentifier<KeyWrapper> = token("@ashlar/identity:KeyWrapper");
export const IDENTITY_OPTIONS: ServiceIdentifier<IdentityOptions> = token("@ashlar/identity:IdentityOptions");
export const IDENTITY_DATABASE: ServiceIdentifier<SqliteDatabase> = token("@ashlar/identity:IdentityDatabase");
export const IDENTITY_REDIS: ServiceIdentifier<RedisClient> = token("@ashlar/identity:IdentityRedis");
/** Without policies everything is denied. */
export const POLICIES: ServiceIdentifier<PolicySource> = token("@ashlar/identity:Policies");
export const ROLES: ServiceIdentifier<RoleSource> = token("@ashlar/identity:Roles");
export const TRUSTED_ISSUERS: ServiceIdentifier<readonly TrustedIssuer[]> = token("@ashlar/identity:TrustedIssuers");

/** Asked `credential.use` for each use of a credential; unbound, its own binding alone decides. */
export const CREDENTIAL_PERMISSIONS: ServiceIdentifier<Permissions> = token("@ashlar/identity:CredentialPermissions");
export const CONSENT_REQUESTS: ServiceIdentifier<ConsentRequests> = token("@ashlar/identity:ConsentRequests");
/** How identity reaches other servers; unbound, the guarded one that reaches public addresses alone. */
export const IDENTITY_FETCH: ServiceIdentifier<Fetch> = token("@ashlar/identity:Fetch");

/** Bound by a backend's module. */
export const IDENTITY_STORE: ServiceIdentifier<IdentityStore> = token("@ashlar/identity:IdentityStore");
export const AUDIT_STORE: ServiceIdentifier<AuditStore> = token("@ashlar/identity:AuditStore");

/** Bound by `identityModule()`. */
export const KEYRING: ServiceIdentifier<Keyring> = token("@ashlar/identity:Keyring");
export const AUDIT_LOG: ServiceIdentifier<AuditLog> = token("@ashlar/identity:AuditLog");
export const VAULT: ServiceIdentifier<Vault> = token("@ashlar/identity:Vault");
export const INJECTOR: ServiceIdentifier<Injector> = token("@ashlar/identity:Injector");
export const EGRESS: ServiceIdentifier<Egress> = token("@ashlar/identity:Egress");
export const LEAK_GUARD: ServiceIdentifier<LeakGuard> = token("@ashlar/identity:LeakGuard");
export const SEALER: ServiceIdentifier<KeyringSealer> = token("@ashlar/identity:Sealer");
export const SIGNING_KEYS: ServiceIdentifier<SigningKeys> = token("@ashlar/identity:SigningKeys");
export const AGENT_TOKENS: ServiceIdentifier<AgentTokens> = token("@ashlar/identity:AgentTokens");
export const AUTHENTICATOR: ServiceIdentifier<BearerAuthenticator> = token("@ashlar/identity:Authenticator");
export const PERMISSIONS: ServiceIdentifier<Permissions> = token("@ashlar/identity:Permissions");
export const ISSUER_ENDPOINT: ServiceIdentifier<IssuerEndpoint> = token("@ashlar/identity:IssuerEndpoint");

/** Bound by `oauthModule()`. */
export const ACCESS_TOKENS: ServiceIdentifier<AccessTokens> = token("@ashlar/identity:AccessTokens");
export const OAUTH_FLOWS: ServiceIdentifier<OAuthFlows> = token("@ashlar/identity:OAuthFlows");
export const CONNECTIONS: ServiceIdentifier<Connections> = token("@ashlar/identity:Connections");
export const PROTECTED_RESOURCES: ServiceIdentifier<ProtectedResources> = token("@ashlar/identity:ProtectedResources");
