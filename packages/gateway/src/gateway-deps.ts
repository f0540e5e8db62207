import type { AgentSessions } from "./agent-sessions.ts";
import type { AgentConventions } from "./agents/conventions.ts";
import type { Publication } from "./agents/publications.ts";
import type { Approvals } from "./approvals.ts";
import type { CredentialInjector } from "./credential-injector.ts";
import type { Clock } from "./dialect.ts";
import type { ResourceMetadata } from "./http/auth.ts";
import type { OriginOptions } from "./http/origin.ts";
import type { InboundAuthenticator } from "./inbound-authenticator.ts";
import type { LimitsOptions } from "./limits/limits.ts";
import type { Permissions } from "./permissions.ts";
import type { ScopeRule } from "./scope-guard.ts";
import type { Target, TargetFactory } from "./target.ts";
import type { ToolEmbedder } from "./tool-embedder.ts";
import type { ToolInterceptor } from "./tool-interceptor.ts";
import type { Transport } from "./transport.ts";

export interface GatewayDeps {
  /** Required: use `anyone(principal)` to let everybody in. */
  readonly authenticator: InboundAuthenticator;
  readonly agents?: AgentSessions;
  /** Which agents are published under which names. Default: each under its own. */
  readonly publications?: Readonly<Record<string, Publication>>;
  readonly targets?: readonly (Target | TargetFactory)[];
  /** Resolves the `credentialRef` of targets. */
  readonly injector?: CredentialInjector;
  /** Without it every caller who is authenticated may call every tool and agent. */
  readonly permissions?: Permissions;
  /** Where calls wait that permissions answer with `ask`. Without it they are refused. */
  readonly approvals?: Approvals;
  /** Scopes that a caller's credential must have: a call that lacks one is told which to ask for (step-up). */
  readonly scopes?: readonly ScopeRule[];
  /** Which tools a caller is shown: all, or those for which permissions do not answer `tool.list` with `deny`. */
  readonly listing?: "all" | "permitted";
  /** Digests by `toolDigest` of descriptions that were approved, by `<target>/<tool>`: a changed tool is gone. */
  readonly pinned?: Readonly<Record<string, string>>;
  /** Other names for tools, by name: `{ refund: "bank___refund" }`. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** `/mcp` offers one `search_tools` in place of the list; with an embedder it finds by meaning too. */
  readonly search?: boolean | { readonly embedder: ToolEmbedder };
  readonly interceptors?: readonly ToolInterceptor[];
  /** Whether arguments must fit a tool's schema. Default: wherever messages do not just pass through. */
  readonly validateArguments?: boolean;
  /** Of one tool's answer. Default: the transport's. */
  readonly maxOutputBytes?: number;
  readonly limits?: LimitsOptions;
  /** How requests leave. Default: `UndiciTransport`, which dials public addresses only. */
  readonly transport?: Transport;
  /** `host` or `host:port` of targets on private addresses that the default transport may dial. */
  readonly allow?: readonly string[];
  /** Published at `/.well-known/oauth-protected-resource` and named in 401 answers (RFC 9728). */
  readonly resource?: ResourceMetadata;
  /** Guards browsers and loopback names against rebinding. */
  readonly origins?: OriginOptions;
  readonly conventions?: Partial<AgentConventions>;
  /** 32 bytes, shared by the processes that serve one address, so that they know each other's MCP sessions. */
  readonly sessionKey?: Uint8Array;
  /** Of one request. Default 4 MiB. */
  readonly maxBodyBytes?: number;
  readonly clock?: Clock;
}

/** What the server knows of a connection, beside the request itself. */
export interface Connection {
  /** The peer's address as the socket says it. */
  readonly remoteAddress?: string;
  /** All names of the request's headers, in lower case, where the server has them at hand. */
  readonly headerNames?: readonly string[];
}
