export type { AccessToken, AccessTokens, OpenedGrant, ProvenRequest } from "./access-tokens.ts";
export { AgentTokens, type AgentTokensDeps, type TokenRequest } from "./agent-tokens.ts";
export { type AuditAnchor, AuditLog, type AuditLogDeps, type AuditVerdict } from "./audit-log.ts";
export type { AuditDecision, AuditEntry, AuditRow, AuditStore } from "./audit-store.ts";
export { AuditedPermissions, type AuditedPermissionsDeps } from "./audited-permissions.ts";
export { AwsKmsWrapper, type AwsKmsWrapperDeps, type KmsClient } from "./aws-kms.ts";
export { BearerAuthenticator, type BearerAuthenticatorDeps } from "./bearer-authenticator.ts";
export { type Connection, Connections, type ConnectionsDeps } from "./connections.ts";
export type { ConsentRequests, EndedGrant } from "./consent-requests.ts";
export type {
  ApiKeySecret,
  AuthorizationCodeSecret,
  BasicSecret,
  BearerSecret,
  ClientCredentialsSecret,
  CredentialBinding,
  CredentialDescription,
  CredentialKind,
  CredentialOwner,
  CredentialSecret,
  EnvironmentSecret,
  JwtBearerSecret,
  NewCredential,
  OAuthServer,
  Surface,
  TokenExchangeSecret,
} from "./credential.ts";
export type {
  CallContext,
  Clock,
  ErrorKind,
  IdSource,
  Json,
  KindedError,
  Metadata,
  Page,
  Principal,
  Redactor,
} from "./dialect.ts";
export { systemClock, systemIds, uuidSource } from "./dialect.ts";
export { Egress, type EgressDeps } from "./egress.ts";
export { IdentityError, type IdentityErrorCode } from "./errors.ts";
export type { IdentityStore, RecordKind, RecordWrite, StoredRecord } from "./identity-store.ts";
export { InMemoryAuditStore, InMemoryIdentityStore, type InMemoryIdentityStoreDeps } from "./in-memory/index.ts";
export { Injector, type InjectorDeps } from "./injector.ts";
export type { Fetch } from "./internal/guarded-fetch.ts";
export { IntersectedPermissions, type IntersectedPermissionsDeps } from "./intersected-permissions.ts";
export { IssuerEndpoint, type IssuerEndpointDeps } from "./issuer-endpoint.ts";
export { createKeyFile, KeyFileWrapper } from "./key-file.ts";
export type { KeyWrapper } from "./key-wrapper.ts";
export { createKeychainKey, type KeychainEntry, KeychainWrapper } from "./keychain.ts";
export { Keyring, type KeyringDeps } from "./keyring.ts";
export { LeakGuard, REDACTED } from "./leak-guard.ts";
export { OAuthCallback, type OAuthCallbackDeps } from "./oauth-callback.ts";
export { OAuthFlows, type OAuthFlowsDeps } from "./oauth-flows.ts";
export { OAuthTokens, type OAuthTokensDeps } from "./oauth-tokens.ts";
export type { OutboundRequest } from "./outbound-request.ts";
export { PassphraseWrapper } from "./passphrase.ts";
export type {
  ExplainedPermissions,
  PermissionDecision,
  PermissionExplanation,
  PermissionRequest,
  Permissions,
  RoleSource,
} from "./permissions.ts";
export type { Policy, PolicyCondition, PolicySource } from "./policy.ts";
export { PolicyPermissions, type PolicyPermissionsDeps } from "./policy-permissions.ts";
export {
  type BearerChallenge,
  type ProtectedResource,
  ProtectedResources,
  type ProtectedResourcesDeps,
  readChallenge,
} from "./protected-resource.ts";
export { type RevocationScope, Revocations, type RevocationsDeps } from "./revocations.ts";
export { KeyringSealer } from "./sealer.ts";
export { type SigningKey, SigningKeys, type SigningKeysDeps } from "./signing-keys.ts";
export { TrustedIssuer, type TrustedIssuerDeps } from "./trusted-issuer.ts";
export { type CredentialTarget, Vault, type VaultDeps } from "./vault.ts";
export { VaultTransitWrapper, type VaultTransitWrapperDeps } from "./vault-transit.ts";
