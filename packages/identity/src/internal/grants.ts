import type { Principal } from "../dialect.ts";
import type { IdentityStore } from "../identity-store.ts";
import type { Keyring } from "../keyring.ts";
import { additionalData, envelopeKeyId, openEnvelope, sealEnvelope } from "./envelope.ts";
import type { TokenSet } from "./oauth-server.ts";
import { parseJson } from "./parse.ts";

export interface StoredGrant {
  readonly recordVersion: number;
  readonly tokens: TokenSet;
}

/** Token sets, sealed in the store: one per credential version and, where grants are a user's own, per user. */
export class Grants {
  readonly #store: IdentityStore;
  readonly #keyring: Keyring;

  constructor({ store, keyring }: { store: IdentityStore; keyring: Keyring }) {
    this.#store = store;
    this.#keyring = keyring;
  }

  async read(tenant: string, id: string): Promise<StoredGrant | undefined> {
    const found = await this.#store.get(tenant, "grant", id);
    if (found === undefined) return undefined;
    const sealed = Buffer.from(String(found.body), "base64");
    const ring = await this.#keyring.ring(tenant, envelopeKeyId(sealed));
    const plain = openEnvelope(ring, sealed, additionalData("grant", tenant, id));
    return { recordVersion: found.version, tokens: parseJson(plain.toString("utf8"), "A grant") as TokenSet };
  }

  /** False when somebody else wrote first. */
  async write(tenant: string, id: string, tokens: TokenSet, expected: number): Promise<boolean> {
    const ring = await this.#keyring.ring(tenant);
    const sealed = sealEnvelope(ring, Buffer.from(JSON.stringify(tokens)), additionalData("grant", tenant, id));
    const body = sealed.toString("base64");
    return (await this.#store.put(tenant, "grant", id, { body, expected })) !== undefined;
  }

  async remove(tenant: string, id: string): Promise<void> {
    await this.#store.take(tenant, "grant", id);
  }
}

export function grantId(recordId: string, holder: Pick<Principal, "user" | "agent" | "session">): string {
  const names = [holder.user, holder.agent, holder.session].map((name) => encodeURIComponent(name ?? ""));
  return `${recordId}#${names.join("/")}`;
}
