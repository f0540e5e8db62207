import { z } from "zod";
import { type CallContext, type Clock, systemClock } from "./dialect.ts";
import { IdentityError } from "./errors.ts";
import type { IdentityStore } from "./identity-store.ts";
import { BoundedMap } from "./internal/cache.ts";
import { parse, requireTenant } from "./internal/parse.ts";

export interface RevocationsDeps {
  readonly store: IdentityStore;
  readonly clock?: Clock;
  /** How late another process may see a revocation. Default one second; in the revoking process it counts at once. */
  readonly lagMs?: number;
}

/** Whose tokens end: an agent's, a session's, a user's, or with none of them the whole tenant's. */
export interface RevocationScope {
  readonly agent?: string;
  readonly session?: string;
  readonly user?: string;
}

const schema = z.object({ before: z.record(z.string(), z.number()) });
type Body = z.infer<typeof schema>;

/** Per tenant, the instants before which tokens of a scope no longer count. */
export class Revocations {
  readonly #store: IdentityStore;
  readonly #clock: Clock;
  readonly #lagMs: number;
  readonly #cached = new BoundedMap<string, { readonly body: Body; readonly until: number }>(10_000);

  constructor({ store, clock = systemClock, lagMs = 1000 }: RevocationsDeps) {
    this.#store = store;
    this.#clock = clock;
    this.#lagMs = lagMs;
  }

  async revoke({ principal }: CallContext, scope: RevocationScope): Promise<void> {
    const tenant = requireTenant(principal.tenant);
    for (let attempt = 0; attempt < 20; attempt++) {
      const found = await this.#store.get(tenant, "revocation", "before");
      const { before } = found ? parse(schema, found.body, "Stored revocations") : { before: {} };
      const body = { before: { ...before, [scopeKey(scope)]: this.#clock.now() } };
      if (await this.#store.put(tenant, "revocation", "before", { body, expected: found?.version ?? 0 })) {
        this.#cached.delete(tenant);
        return;
      }
    }
    throw new IdentityError("IDENTITY_CONFLICT", "Revocations are being written by others. Try again.");
  }

  /** @internal Whether a token made at `issuedAt` for these has been revoked. */
  async revoked(tenant: string, issuedAt: number, { agent, session, user }: RevocationScope): Promise<boolean> {
    const { before } = await this.#read(tenant);
    const scopes: RevocationScope[] = [{}];
    if (agent !== undefined) scopes.push({ agent });
    if (session !== undefined) scopes.push({ session });
    if (user !== undefined) scopes.push({ user });
    return scopes.some((scope) => issuedAt <= (before[scopeKey(scope)] ?? Number.NEGATIVE_INFINITY));
  }

  async #read(tenant: string): Promise<Body> {
    const now = this.#clock.now();
    const known = this.#cached.get(tenant);
    if (known && known.until > now) return known.body;
    const found = await this.#store.get(tenant, "revocation", "before");
    const body = found ? parse(schema, found.body, "Stored revocations") : { before: {} };
    this.#cached.set(tenant, { body, until: now + this.#lagMs });
    return body;
  }
}

const scopeKey = (scope: RevocationScope): string =>
  JSON.stringify([scope.agent ?? null, scope.session ?? null, scope.user ?? null]);
