import type { CallContext } from "./dialect.ts";
import { additionalData, envelopeKeyId, openEnvelope, sealEnvelope } from "./internal/envelope.ts";
import { requireTenant } from "./internal/parse.ts";
import type { Keyring } from "./keyring.ts";

/**
 * Encrypts what neighbours keep: browser profiles, tunnel keys. The result opens only for the same tenant and purpose;
 * anything else throws `IDENTITY_CIPHERTEXT_REFUSED`.
 */
export class KeyringSealer {
  readonly #keyring: Keyring;

  constructor({ keyring }: { readonly keyring: Keyring }) {
    this.#keyring = keyring;
  }

  async seal({ principal }: CallContext, plain: Uint8Array, purpose: string): Promise<Uint8Array> {
    const tenant = requireTenant(principal.tenant);
    return sealEnvelope(await this.#keyring.ring(tenant), plain, additionalData("sealer", tenant, purpose));
  }

  async open({ principal }: CallContext, sealed: Uint8Array, purpose: string): Promise<Uint8Array> {
    const tenant = requireTenant(principal.tenant);
    const ring = await this.#keyring.ring(tenant, envelopeKeyId(sealed));
    return openEnvelope(ring, sealed, additionalData("sealer", tenant, purpose));
  }
}
