import { ContainerModule } from "inversify";
import { AgentTokens } from "../agent-tokens.ts";
import { AuditLog } from "../audit-log.ts";
import { AuditedPermissions } from "../audited-permissions.ts";
import { BearerAuthenticator } from "../bearer-authenticator.ts";
import { systemClock, systemIds } from "../dialect.ts";
import { Egress } from "../egress.ts";
import { InMemoryAuditStore } from "../in-memory/in-memory-audit-store.ts";
import { InMemoryIdentityStore } from "../in-memory/in-memory-identity-store.ts";
import { Injector } from "../injector.ts";
import { IssuerEndpoint } from "../issuer-endpoint.ts";
import { Keyring } from "../keyring.ts";
import { LeakGuard } from "../leak-guard.ts";
import { PolicyPermissions } from "../policy-permissions.ts";
import { RedisAuditStore } from "../redis/redis-audit-store.ts";
import { RedisIdentityStore } from "../redis/redis-identity-store.ts";
import { Revocations } from "../revocations.ts";
import { KeyringSealer } from "../sealer.ts";
import { SigningKeys } from "../signing-keys.ts";
import type { Durability } from "../sqlite/connection.ts";
import { SqliteAuditStore } from "../sqlite/sqlite-audit-store.ts";
import { SqliteIdentityStore } from "../sqlite/sqlite-identity-store.ts";
import { Vault } from "../vault.ts";
import { optional, refuseRebind } from "./binding.ts";
import * as tokens from "./tokens.ts";

const clock = optional(tokens.CLOCK);
const ids = optional(tokens.IDS);
const used = [tokens.IDENTITY_STORE, tokens.KEYRING, tokens.AUDIT_LOG, tokens.LEAK_GUARD] as const;

/** The services. Needs a backend's module, `KEY_WRAPPER` and `IDENTITY_OPTIONS`; `POLICIES`, `ROLES`, `TRUSTED_ISSUERS` and `CREDENTIAL_PERMISSIONS` are optional; the OAuth kinds need `oauthModule()`. */
export const identityModule = (): ContainerModule =>
  new ContainerModule((options) => {
    const { bind } = options;
    refuseRebind(options, tokens.KEYRING, tokens.AUDIT_LOG, tokens.VAULT, tokens.INJECTOR, tokens.EGRESS);
    refuseRebind(options, tokens.LEAK_GUARD, tokens.SEALER, tokens.SIGNING_KEYS, tokens.AGENT_TOKENS);
    refuseRebind(options, tokens.ISSUER_ENDPOINT, tokens.AUTHENTICATOR, tokens.PERMISSIONS);
    bind(tokens.KEYRING)
      .toResolvedValue(
        (store, wrapper, now = systemClock, names = systemIds) =>
          new Keyring({ store, wrapper, clock: now, ids: names }),
        [tokens.IDENTITY_STORE, tokens.KEY_WRAPPER, clock, ids],
      )
      .inSingletonScope();
    bind(tokens.AUDIT_LOG)
      .toResolvedValue(
        (store, keyring, now = systemClock) => new AuditLog({ store, keyring, clock: now }),
        [tokens.AUDIT_STORE, tokens.KEYRING, clock],
      )
      .inSingletonScope();
    bind(tokens.LEAK_GUARD)
      .toResolvedValue(() => new LeakGuard())
      .inSingletonScope();
    bind(tokens.VAULT)
      .toResolvedValue(
        (store, keyring, audit, now = systemClock, names = systemIds) =>
          new Vault({ store, keyring, audit, clock: now, ids: names }),
        [tokens.IDENTITY_STORE, tokens.KEYRING, tokens.AUDIT_LOG, clock, ids],
      )
      .inSingletonScope();
    bind(tokens.INJECTOR)
      .toResolvedValue(
        (access, permissions, ...[store, keyring, audit, guard, now = systemClock]) =>
          new Injector({
            ...{ store, keyring, audit, guard, clock: now },
            ...(access && { tokens: access }),
            ...(permissions && { permissions }),
          }),
        [optional(tokens.ACCESS_TOKENS), optional(tokens.CREDENTIAL_PERMISSIONS), ...used, clock],
      )
      .inSingletonScope();
    bind(tokens.EGRESS)
      .toResolvedValue(
        (access, permissions, ...[store, keyring, audit, guard, now = systemClock]) =>
          new Egress({
            ...{ store, keyring, audit, guard, clock: now },
            ...(access && { tokens: access }),
            ...(permissions && { permissions }),
          }),
        [optional(tokens.ACCESS_TOKENS), optional(tokens.CREDENTIAL_PERMISSIONS), ...used, clock],
      )
      .inSingletonScope();
    bind(tokens.SEALER)
      .toResolvedValue((keyring) => new KeyringSealer({ keyring }), [tokens.KEYRING])
      .inSingletonScope();
    bind(tokens.SIGNING_KEYS)
      .toResolvedValue(
        (store, keyring, now = systemClock) => new SigningKeys({ store, keyring, clock: now }),
        [tokens.IDENTITY_STORE, tokens.KEYRING, clock],
      )
      .inSingletonScope();
    bind(tokens.AGENT_TOKENS)
      .toResolvedValue(
        (keys, store, { issuer }, now = systemClock, names = systemIds) => {
          const revocations = new Revocations({ store, clock: now });
          return new AgentTokens({ keys, revocations, issuer, clock: now, ids: names });
        },
        [tokens.SIGNING_KEYS, tokens.IDENTITY_STORE, tokens.IDENTITY_OPTIONS, clock, ids],
      )
      .inSingletonScope();
    bind(tokens.ISSUER_ENDPOINT)
      .toResolvedValue(
        (keys, { issuer }) => new IssuerEndpoint({ keys, issuer }),
        [tokens.SIGNING_KEYS, tokens.IDENTITY_OPTIONS],
      )
      .inSingletonScope();
    bind(tokens.AUTHENTICATOR)
      .toResolvedValue(
        (own, { audience }, issuers = []) => new BearerAuthenticator({ tokens: own, audience, issuers }),
        [tokens.AGENT_TOKENS, tokens.IDENTITY_OPTIONS, optional(tokens.TRUSTED_ISSUERS)],
      )
      .inSingletonScope();
    bind(tokens.PERMISSIONS)
      .toResolvedValue(
        (audit, policies, roles) =>
          new AuditedPermissions({
            permissions: new PolicyPermissions({ policies: policies ?? [], ...(roles && { roles }) }),
            audit,
          }),
        [tokens.AUDIT_LOG, optional(tokens.POLICIES), optional(tokens.ROLES)],
      )
      .inSingletonScope();
  });

/** Stores that forget everything with the process. */
export const inMemoryIdentityModule = (): ContainerModule =>
  new ContainerModule((options) => {
    refuseRebind(options, tokens.IDENTITY_STORE, tokens.AUDIT_STORE);
    options
      .bind(tokens.IDENTITY_STORE)
      .toResolvedValue((now = systemClock) => new InMemoryIdentityStore({ clock: now }), [clock])
      .inSingletonScope()
      .onDeactivation((store) => store.close());
    options
      .bind(tokens.AUDIT_STORE)
      .toResolvedValue(() => new InMemoryAuditStore())
      .inSingletonScope()
      .onDeactivation((store) => store.close());
  });

/** Stores in the SQLite file bound as `IDENTITY_DATABASE`. */
export const sqliteIdentityModule = (chosen: { readonly durability?: Durability } = {}): ContainerModule =>
  new ContainerModule((options) => {
    refuseRebind(options, tokens.IDENTITY_STORE, tokens.AUDIT_STORE);
    options
      .bind(tokens.IDENTITY_STORE)
      .toResolvedValue(
        (database, now = systemClock) => new SqliteIdentityStore({ ...chosen, database, clock: now }),
        [tokens.IDENTITY_DATABASE, clock],
      )
      .inSingletonScope()
      .onDeactivation((store) => store.close());
    options
      .bind(tokens.AUDIT_STORE)
      .toResolvedValue((database) => new SqliteAuditStore({ ...chosen, database }), [tokens.IDENTITY_DATABASE])
      .inSingletonScope()
      .onDeactivation((store) => store.close());
  });

/** Stores in the Redis bound as `IDENTITY_REDIS`. */
export const redisIdentityModule = (): ContainerModule =>
  new ContainerModule((options) => {
    refuseRebind(options, tokens.IDENTITY_STORE, tokens.AUDIT_STORE);
    options
      .bind(tokens.IDENTITY_STORE)
      .toResolvedValue(
        (redis, now = systemClock) => new RedisIdentityStore({ redis, clock: now }),
        [tokens.IDENTITY_REDIS, clock],
      )
      .inSingletonScope()
      .onDeactivation((store) => store.close());
    options
      .bind(tokens.AUDIT_STORE)
      .toResolvedValue((redis) => new RedisAuditStore({ redis }), [tokens.IDENTITY_REDIS])
      .inSingletonScope()
      .onDeactivation((store) => store.close());
  });
