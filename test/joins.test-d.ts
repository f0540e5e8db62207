/** The shape of every joint: a provider's class, given where the consumer's port is asked for, must compile. */
import type * as gateway from "@ashlar/gateway";
import type * as identity from "@ashlar/identity";
import type * as memory from "@ashlar/memory";
import type * as observability from "@ashlar/observability";
import type * as runtime from "@ashlar/runtime";
import type * as tools from "@ashlar/tools";
import type { Sealer } from "@ashlar/tools/browser";
import type { SandboxTools } from "@ashlar/tools/toolset";

/** Compiles only if `Provider` fits `Port`. */
type Fits<Port, Provider extends Port> = [Port, Provider];

export type Joints = [
  Fits<runtime.SessionMemory, memory.SessionMemoryAdapter>,
  Fits<runtime.ToolSource, gateway.Gateway["tools"]>,
  Fits<runtime.ToolSource, memory.MemoryTools>,
  Fits<runtime.ToolSource, SandboxTools>,
  Fits<runtime.SessionHost, tools.SandboxSessionHost>,
  Fits<runtime.Permissions, identity.PolicyPermissions>,
  Fits<runtime.Redactor, observability.PatternRedactor>,
  Fits<runtime.Redactor, identity.LeakGuard>,
  Fits<runtime.Pricing, observability.PriceTable>,
  Fits<gateway.Pricing, observability.PriceTable>,
  Fits<gateway.AgentSessions, runtime.Sessions>,
  Fits<gateway.ToolSource, SandboxTools>,
  Fits<gateway.InboundAuthenticator, identity.BearerAuthenticator>,
  Fits<gateway.Permissions, identity.PolicyPermissions>,
  Fits<gateway.CredentialInjector, identity.Injector>,
  Fits<tools.EgressCredentials, identity.Egress>,
  Fits<Sealer, identity.KeyringSealer>,
  Fits<tools.Workspaces, runtime.BlobWorkspaces>,
  Fits<observability.SessionReader, runtime.SessionRecords>,
  Fits<observability.SessionControl, runtime.Sessions>,
];
