/**
 * Wraps the tenants' key-encryption keys with a key that lives elsewhere: a file, a passphrase, a key service.
 *
 * A wrapped key opens only for the tenant it was wrapped for. `unwrap` throws `IDENTITY_KEY_MISMATCH` when the key is
 * another one or the bytes were changed, `IDENTITY_KEY_MISSING` when there is no key to be had, and
 * `IDENTITY_KEY_UNAVAILABLE` when asking again may help.
 */
export interface KeyWrapper {
  wrap(tenant: string, key: Uint8Array): Promise<Uint8Array>;
  unwrap(tenant: string, wrapped: Uint8Array): Promise<Uint8Array>;
}
