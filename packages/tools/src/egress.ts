import type { CallContext } from "./dialect.ts";
import type { NetworkPolicy } from "./network-policy.ts";

/** The way out of one sandbox: a proxy that is reached over a Unix socket, since there is no network inside. */
export interface EgressLink {
  /**
   * Absolute path on the host of a Unix socket that speaks HTTP proxying (CONNECT and absolute-form requests). It is
   * alone in its folder, which is what is shown inside: a proxy that starts anew listens under the same name.
   */
  readonly socketPath: string;
  /** Variables for programs inside, where the socket is forwarded to `127.0.0.1:port` (`HTTPS_PROXY`, …). */
  environment(port: number): Readonly<Record<string, string>>;
  /** Certificate authorities in PEM that programs inside have to trust beside the public ones. */
  readonly certificates?: string;
  /** Takes effect for the next connection; connections that the new policy forbids are cut. */
  setPolicy(policy: NetworkPolicy): Promise<void>;
  /** Ends the proxy's part and every connection through it. Idempotent. */
  close(): Promise<void>;
}

/** Opens a way out for a sandbox. Backends that are given none refuse every policy but `none`. */
export interface EgressGateway {
  open(
    context: CallContext,
    request: { readonly sandbox: string; readonly policy: NetworkPolicy },
  ): Promise<EgressLink>;
}
