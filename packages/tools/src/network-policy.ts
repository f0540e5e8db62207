/** A name, `*.name` for everything below a name (not the name itself), or an address; `port` defaults to 443 and 80. */
export interface AllowedHost {
  readonly host: string;
  readonly port?: number;
}

/**
 * What may be reached from inside. Private, loopback and metadata addresses are denied under every policy.
 *
 * An allow-list is not data-loss prevention: whoever may write to an allowed host may send data there.
 */
export type NetworkPolicy =
  /** No network device but loopback. The default. */
  | { readonly mode: "none" }
  | { readonly mode: "allow"; readonly hosts: readonly AllowedHost[] }
  /** The package registries that the operator named (`packageHosts` of the egress proxy), and what `hosts` adds. */
  | { readonly mode: "packages"; readonly hosts?: readonly AllowedHost[] }
  /** Every public address; warns aloud. */
  | { readonly mode: "open" };

export type NetworkMode = NetworkPolicy["mode"];

export const NO_NETWORK: NetworkPolicy = { mode: "none" };
