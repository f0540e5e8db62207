import { createHmac, createSecretKey, hkdfSync, type KeyObject, randomBytes } from "node:crypto";
import { z } from "zod";
import { type Clock, type IdSource, type Json, systemClock, systemIds } from "./dialect.ts";
import { IdentityError } from "./errors.ts";
import type { IdentityStore } from "./identity-store.ts";
import { BoundedMap } from "./internal/cache.ts";
import type { KeyRing } from "./internal/envelope.ts";
import { parse } from "./internal/parse.ts";
import type { KeyWrapper } from "./key-wrapper.ts";

export interface KeyringDeps {
  readonly store: IdentityStore;
  readonly wrapper: KeyWrapper;
  readonly clock?: Clock;
  readonly ids?: IdSource;
  /** How long opened keys stay in this process before the wrapper is asked again. Default five minutes. */
  readonly cacheMs?: number;
}

/** The tenant of keys that belong to the installation, such as those that sign tokens. No principal can have it. */
const INSTALLATION = "";

/** Opened data keys that a tenant's ring holds at most. */
const DATA_KEYS = 1000;

interface Opened extends KeyRing {
  readonly root: KeyObject;
  /** Derived keys by their purpose. */
  readonly derived: Map<string, KeyObject>;
  readonly until: number;
}

const schema = z.object({
  current: z.string(),
  root: z.string(),
  keys: z.record(z.string(), z.object({ wrapped: z.string(), createdAt: z.number() })),
});
type Body = z.infer<typeof schema>;

/**
 * The key-encryption keys of each tenant: random, kept wrapped in the store, opened through the `KeyWrapper`.
 * Nothing of it leaves the process; `util.inspect` and JSON show no key.
 */
export class Keyring {
  readonly #store: IdentityStore;
  readonly #wrapper: KeyWrapper;
  readonly #clock: Clock;
  readonly #ids: IdSource;
  readonly #cacheMs: number;
  readonly #opened = new BoundedMap<string, Opened>(10_000);
  readonly #opening = new Map<string, Promise<Opened>>();

  constructor({ store, wrapper, clock = systemClock, ids = systemIds, cacheMs = 300_000 }: KeyringDeps) {
    this.#store = store;
    this.#wrapper = wrapper;
    this.#clock = clock;
    this.#ids = ids;
    this.#cacheMs = cacheMs;
  }

  /** Proves that the wrapper's key opens this store; call it at start. Throws `IDENTITY_KEY_…` otherwise. */
  async check(): Promise<void> {
    this.#opened.delete(INSTALLATION);
    await this.#open(INSTALLATION);
  }

  /** Adds a key and makes it current; `Vault.rewrap` then moves the data keys over. */
  async rotate(tenant: string): Promise<void> {
    await this.#change(tenant, async (body) => {
      const { id, entry } = await this.#make(tenant);
      return { ...body, current: id, keys: { ...body.keys, [id]: entry } };
    });
  }

  /** Wraps every tenant's keys with another wrapper, and uses it from then on in processes built with it. */
  async rewrap(next: KeyWrapper): Promise<{ readonly tenants: number }> {
    const tenants = await this.#store.tenants("keyring");
    for (const tenant of tenants) {
      await this.#change(tenant, async (body) => {
        const again = async (wrapped: string): Promise<string> => {
          const key = await this.#wrapper.unwrap(tenant, Buffer.from(wrapped, "base64"));
          return Buffer.from(await next.wrap(tenant, key)).toString("base64");
        };
        const keys: Body["keys"] = {};
        for (const [id, { wrapped, createdAt }] of Object.entries(body.keys)) {
          keys[id] = { wrapped: await again(wrapped), createdAt };
        }
        return { ...body, root: await again(body.root), keys };
      });
    }
    return { tenants: tenants.length };
  }

  /** @internal The tenant's keys; `needs` is the id of a key that the caller has seen in use. */
  async ring(tenant: string, needs?: string): Promise<KeyRing> {
    const known = this.#opened.get(tenant);
    if (known && known.until > this.#clock.now() && (needs === undefined || known.keys.has(needs))) return known;
    return this.#open(tenant);
  }

  /** @internal The installation's own keys. */
  installation(): Promise<KeyRing> {
    return this.ring(INSTALLATION);
  }

  /** @internal HMAC-SHA-256 under a key of the tenant that serves only `purpose`. */
  async mac(tenant: string, purpose: string): Promise<(data: string) => Buffer> {
    const { root, derived } = (await this.ring(tenant)) as Opened;
    let key = derived.get(purpose);
    if (key === undefined) {
      key = createSecretKey(Buffer.from(hkdfSync("sha256", root, "", `ashlar.identity ${purpose}`, 32)));
      derived.set(purpose, key);
    }
    return (data) => createHmac("sha256", key).update(data).digest();
  }

  #open(tenant: string): Promise<Opened> {
    const under = this.#opening.get(tenant);
    if (under) return under;
    const opening = this.#load(tenant).finally(() => this.#opening.delete(tenant));
    this.#opening.set(tenant, opening);
    return opening;
  }

  async #load(tenant: string): Promise<Opened> {
    const body = await this.#read(tenant);
    const open = async (wrapped: string): Promise<KeyObject> =>
      createSecretKey(await this.#wrapper.unwrap(tenant, Buffer.from(wrapped, "base64")));
    const keys = new Map<string, KeyObject>();
    for (const [id, { wrapped }] of Object.entries(body.keys)) keys.set(id, await open(wrapped));
    const root = await open(body.root);
    const until = this.#clock.now() + this.#cacheMs;
    const dataKeys = new BoundedMap<string, KeyObject>(DATA_KEYS);
    const opened: Opened = { current: body.current, keys, dataKeys, root, derived: new Map(), until };
    this.#opened.set(tenant, opened);
    return opened;
  }

  async #read(tenant: string): Promise<Body> {
    const found = await this.#store.get(tenant, "keyring", "keys");
    if (found) return parse(schema, found.body, "A stored keyring");
    const { id, entry } = await this.#make(tenant);
    const root = (await this.#make(tenant)).entry.wrapped;
    const body: Body = { current: id, root, keys: { [id]: entry } };
    const written = await this.#store.put(tenant, "keyring", "keys", { body, expected: 0 });
    return written ? body : this.#read(tenant);
  }

  async #change(tenant: string, change: (body: Body) => Promise<Body>): Promise<void> {
    for (let attempt = 0; attempt < 10; attempt++) {
      await this.#read(tenant);
      const found = await this.#store.get(tenant, "keyring", "keys");
      if (!found) continue;
      const body: Json = await change(parse(schema, found.body, "A stored keyring"));
      if (await this.#store.put(tenant, "keyring", "keys", { body, expected: found.version })) {
        this.#opened.delete(tenant);
        return;
      }
    }
    throw new IdentityError("IDENTITY_CONFLICT", "A keyring was changed by somebody else at the same time. Try again.");
  }

  async #make(tenant: string): Promise<{ id: string; entry: Body["keys"][string] }> {
    const key = randomBytes(32);
    const wrapped = Buffer.from(await this.#wrapper.wrap(tenant, key)).toString("base64");
    key.fill(0);
    return { id: this.#ids.next("kek"), entry: { wrapped, createdAt: this.#clock.now() } };
  }
}
