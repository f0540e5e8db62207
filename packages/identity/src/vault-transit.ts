import { z } from "zod";
import { IdentityError } from "./errors.ts";
import { type Fetch, guardedFetch } from "./internal/guarded-fetch.ts";
import { parse, parseJson } from "./internal/parse.ts";
import type { KeyWrapper } from "./key-wrapper.ts";

export interface VaultTransitWrapperDeps {
  /** Of HashiCorp Vault or OpenBao: `https://vault.internal:8200`. */
  readonly address: string;
  /** Asked for on every call, so that a renewed token is used. */
  readonly token: () => string | Promise<string>;
  /** Name of an AEAD key in the transit engine, such as `aes256-gcm96`. */
  readonly key: string;
  /** Where the engine is mounted. Default `transit`. */
  readonly mount?: string;
  /** Of Vault Enterprise or OpenBao. */
  readonly namespace?: string;
  /** Default: the guarded fetch with the address allowed. */
  readonly fetch?: Fetch;
}

const answer = z.object({
  data: z.object({ ciphertext: z.string().optional(), plaintext: z.string().optional() }),
});

/** Wraps by the transit secrets engine; the tenant is its `associated_data`. The wrapping key never leaves Vault. */
export class VaultTransitWrapper implements KeyWrapper {
  readonly #deps: VaultTransitWrapperDeps;
  readonly #fetch: Fetch;

  constructor(deps: VaultTransitWrapperDeps) {
    this.#deps = deps;
    this.#fetch = deps.fetch ?? guardedFetch({ allow: [new URL(deps.address).host], timeoutMs: 10_000 });
  }

  async wrap(tenant: string, key: Uint8Array): Promise<Uint8Array> {
    const data = await this.#call("encrypt", { plaintext: base64(key), associated_data: base64(Buffer.from(tenant)) });
    return Buffer.from(data.ciphertext ?? "", "utf8");
  }

  async unwrap(tenant: string, wrapped: Uint8Array): Promise<Uint8Array> {
    const ciphertext = Buffer.from(wrapped).toString("utf8");
    const data = await this.#call("decrypt", { ciphertext, associated_data: base64(Buffer.from(tenant)) });
    return Buffer.from(data.plaintext ?? "", "base64");
  }

  async #call(action: "encrypt" | "decrypt", body: object): Promise<z.infer<typeof answer>["data"]> {
    const { address, mount = "transit", key, namespace, token } = this.#deps;
    const url = new URL(`/v1/${mount}/${action}/${encodeURIComponent(key)}`, address);
    const headers = {
      "x-vault-token": await token(),
      "content-type": "application/json",
      ...(namespace === undefined ? {} : { "x-vault-namespace": namespace }),
    };
    const response = await this.#fetch(url, { method: "POST", headers, body: JSON.stringify(body) }).catch(() => {
      throw unavailable("no answer");
    });
    const text = await response.text();
    if (response.status === 400 && action === "decrypt") {
      throw new IdentityError("IDENTITY_KEY_MISMATCH", `Vault's key ${key} does not open this store.`);
    }
    if (response.status !== 200) throw unavailable(`status ${response.status}`);
    return parse(answer, parseJson(text, "Vault's answer"), "Vault's answer").data;
  }
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

const unavailable = (detail: string): IdentityError =>
  new IdentityError("IDENTITY_KEY_UNAVAILABLE", `Vault's transit engine did not serve (${detail}).`);
