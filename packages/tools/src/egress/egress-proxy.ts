import { randomBytes } from "node:crypto";
import { lookup as systemLookup } from "node:dns/promises";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CallContext, type Clock, systemClock } from "../dialect.ts";
import type { EgressGateway, EgressLink } from "../egress.ts";
import { ToolsError } from "../errors.ts";
import type { AllowedHost, NetworkPolicy } from "../network-policy.ts";
import type { EgressLog } from "./egress-decision.ts";
import { ProxyLink, type ProxyLinkOptions } from "./proxy-link.ts";
import { boundCredentials, type EgressSubstitution } from "./substitution.ts";

export interface EgressProxyDeps {
  /** Every decision, allowed or not. */
  readonly log?: EgressLog;
  /** Hosts that may resolve to addresses that are not public: the operator's word, which no sandbox policy can give. */
  readonly allowPrivate?: readonly AllowedHost[];
  /** What the policy `packages` opens. */
  readonly packageHosts?: readonly AllowedHost[];
  /** TLS ends at the proxy for the hosts that it names, and for no other; without it, for none. */
  readonly substitution?: EgressSubstitution;
  /** Connections of one sandbox at a time. Default 64. */
  readonly maxConnections?: number;
  /** A tunnel in which nothing moves for so long is cut. Default 2 minutes. */
  readonly idleMs?: number;
  /** From the start of a connection to the end of its first request's headers. Default 10 seconds. */
  readonly headersMs?: number;
  readonly lookup?: typeof systemLookup;
  readonly clock?: Clock;
}

/**
 * The way out of sandboxes that have no network: one HTTP proxy on a Unix socket per sandbox. It resolves a name once
 * and dials that very address, and denies private, loopback and metadata addresses under every policy. The socket's
 * name is drawn at random in a folder that only this user can list: to know the path is to be that sandbox. On a host
 * with other users mount `/proc` with `hidepid`, since a sandbox's launcher has the path among its arguments.
 */
export class EgressProxy implements EgressGateway, AsyncDisposable {
  readonly #deps: EgressProxyDeps;
  readonly #links = new Set<EgressLink>();

  constructor(deps: EgressProxyDeps = {}) {
    this.#deps = deps;
  }

  async open(
    context: CallContext,
    { sandbox, policy }: { readonly sandbox: string; readonly policy: NetworkPolicy },
  ): Promise<EgressLink> {
    const { log, substitution } = this.#deps;
    const folder = await mkdtemp(join(tmpdir(), "ashlar-egress-"));
    const discard = () => rm(folder, { recursive: true, force: true });
    try {
      await chmod(folder, 0o711);
      const link = new ProxyLink({
        principal: context.principal,
        sandbox,
        policy,
        socketPath: join(folder, randomBytes(16).toString("hex")),
        ...linkLimits(this.#deps),
        lookup: this.#deps.lookup ?? systemLookup,
        clock: this.#deps.clock ?? systemClock,
        ...(log === undefined ? {} : { log }),
        ...(substitution === undefined
          ? {}
          : { substitution: { ...substitution, credentials: boundCredentials(substitution.credentials) } }),
        onClose: async () => {
          this.#links.delete(link);
          await discard();
        },
      });
      await link.listen();
      this.#links.add(link);
      return link;
    } catch (error) {
      await discard();
      if (ToolsError.is(error)) throw error;
      throw new ToolsError("TOOLS_BACKEND_FAILED", "The egress proxy could not listen on its socket.", {
        cause: error,
      });
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#links].map((link) => link.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

type LinkLimits = Pick<ProxyLinkOptions, "allowPrivate" | "packageHosts" | "maxConnections" | "idleMs" | "headersMs">;

export const linkLimits = ({
  allowPrivate = [],
  packageHosts = [],
  maxConnections = 64,
  idleMs = 120_000,
  headersMs = 10_000,
}: Omit<EgressProxyDeps, "substitution">): LinkLimits => ({
  ...{ allowPrivate, packageHosts, maxConnections, idleMs, headersMs },
});
