import { ContainerModule } from "inversify";
import { Connections } from "../connections.ts";
import { systemClock, systemIds } from "../dialect.ts";
import { guardedFetch } from "../internal/guarded-fetch.ts";
import { OAuthFlows } from "../oauth-flows.ts";
import { OAuthTokens } from "../oauth-tokens.ts";
import { ProtectedResources } from "../protected-resource.ts";
import { optional, refuseRebind } from "./binding.ts";
import * as tokens from "./tokens.ts";

const clock = optional(tokens.CLOCK);
const ids = optional(tokens.IDS);
const fetch = optional(tokens.IDENTITY_FETCH);
const guarded = () => guardedFetch({ timeoutMs: 10_000 });

/** The OAuth kinds, beside `identityModule()`. `CONSENT_REQUESTS` and `IDENTITY_FETCH` are optional. */
export const oauthModule = (): ContainerModule =>
  new ContainerModule((options) => {
    const { bind } = options;
    refuseRebind(options, tokens.ACCESS_TOKENS, tokens.OAUTH_FLOWS, tokens.CONNECTIONS, tokens.PROTECTED_RESOURCES);
    bind(tokens.ACCESS_TOKENS)
      .toResolvedValue(
        (store, keyring, agentTokens, consents, call = guarded(), now = systemClock, names = systemIds) =>
          new OAuthTokens({
            ...{ store, keyring, agentTokens, fetch: call, clock: now, ids: names },
            ...(consents && { consents }),
          }),
        [
          tokens.IDENTITY_STORE,
          tokens.KEYRING,
          tokens.AGENT_TOKENS,
          optional(tokens.CONSENT_REQUESTS),
          fetch,
          clock,
          ids,
        ],
      )
      .inSingletonScope();
    bind(tokens.OAUTH_FLOWS)
      .toResolvedValue(
        (store, keyring, audit, call = guarded(), now = systemClock) =>
          new OAuthFlows({ store, keyring, audit, fetch: call, clock: now }),
        [tokens.IDENTITY_STORE, tokens.KEYRING, tokens.AUDIT_LOG, fetch, clock],
      )
      .inSingletonScope();
    bind(tokens.CONNECTIONS)
      .toResolvedValue(
        (store, keyring, now = systemClock) => new Connections({ store, keyring, clock: now }),
        [tokens.IDENTITY_STORE, tokens.KEYRING, clock],
      )
      .inSingletonScope();
    bind(tokens.PROTECTED_RESOURCES)
      .toResolvedValue((call) => new ProtectedResources(call && { fetch: call }), [fetch])
      .inSingletonScope();
  });
