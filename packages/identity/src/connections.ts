import { type CallContext, type Clock, systemClock } from "./dialect.ts";
import type { IdentityStore } from "./identity-store.ts";
import { CredentialRows, usableRows } from "./internal/credential-rows.ts";
import { Grants, grantId } from "./internal/grants.ts";
import type { Keyring } from "./keyring.ts";

export interface ConnectionsDeps {
  readonly store: IdentityStore;
  readonly keyring: Keyring;
  readonly clock?: Clock;
}

/** One credential that needs a user's consent. */
export interface Connection {
  readonly reference: string;
  readonly hosts: readonly string[];
  /** `none`: never agreed to. `ended`: they have to agree again, see `OAuthFlows.start`. */
  readonly state: "connected" | "ended" | "none";
  readonly scopes: readonly string[];
  readonly endedAt?: number;
}

/** A user's accounts at other services, as a settings page shows them. No token is in it. */
export class Connections {
  readonly #store: IdentityStore;
  readonly #clock: Clock;
  readonly #grants: Grants;
  readonly #rows: CredentialRows;

  constructor({ store, keyring, clock = systemClock }: ConnectionsDeps) {
    this.#store = store;
    this.#clock = clock;
    this.#grants = new Grants({ store, keyring });
    this.#rows = new CredentialRows({ store, keyring, clock });
  }

  /** All of the principal's user, who must be named. */
  async list(context: CallContext): Promise<readonly Connection[]> {
    const { tenant } = context.principal;
    const connections: Connection[] = [];
    for (const stored of await usableRows(this.#store, context.principal)) {
      const { reference, hosts, id, kind } = stored.row;
      if (kind !== "oauth2_authorization_code") continue;
      const { secret, recordId, version } = await this.#rows.openVersion(tenant, stored);
      if (secret.kind !== kind) continue;
      const found = await this.#grants.read(tenant, grantId(context, { recordId, credential: id, version, secret }));
      const scopes = found?.grant.scopes ?? [];
      connections.push({ reference, hosts, scopes, ...this.#state(found?.grant) });
    }
    return connections;
  }

  #state(grant: Parameters<Grants["write"]>[2] | undefined): Pick<Connection, "state" | "endedAt"> {
    if (grant === undefined) return { state: "none" };
    if (grant.ended !== undefined) return { state: "ended", endedAt: grant.ended.at };
    const alive = grant.refreshToken !== undefined || grant.expiresAt > this.#clock.now();
    return alive ? { state: "connected" } : { state: "ended", endedAt: grant.expiresAt };
  }
}
