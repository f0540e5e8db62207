import type { ServiceIdentifier } from "inversify";
import type { BrowserProfiles } from "../browser/browser-profiles.ts";
import type { Browsers } from "../browser/browsers.ts";
import type { Recordings } from "../browser/recordings.ts";
import type { Sealer } from "../browser/sealer.ts";
import type { EgressSubstitution } from "../egress/index.ts";
import type { EgressGateway } from "../egress.ts";
import type { IsolationGrade } from "../grades.ts";
import type { SandboxBackend } from "../sandbox-backend.ts";
import type { SandboxSpec } from "../sandbox-spec.ts";
import type { SandboxSessionHost } from "../session-host.ts";
import type { Choice } from "../strongest-backend.ts";
import type { SandboxTools } from "../toolset/sandbox-tools.ts";
import type { Workspaces } from "../workspaces.ts";
import { token } from "./binding.ts";

export { CLOCK, IDS } from "./binding.ts";

/** Bound once by each backend's module; `toolsModule` chooses among them. */
export const SANDBOX_BACKENDS: ServiceIdentifier<SandboxBackend> = token("@ashlar/tools:SandboxBackends");
export const MIN_ISOLATION: ServiceIdentifier<IsolationGrade> = token("@ashlar/tools:MinIsolation");
/** The choice with every probe's report; resolve with `getAsync`. */
export const SANDBOX_CHOICE: ServiceIdentifier<Choice> = token("@ashlar/tools:SandboxChoice");
/** The chosen backend; resolve with `getAsync`. */
export const SANDBOX_BACKEND: ServiceIdentifier<SandboxBackend> = token("@ashlar/tools:SandboxBackend");
export const SANDBOX_SESSION_HOST: ServiceIdentifier<SandboxSessionHost> = token("@ashlar/tools:SandboxSessionHost");
export const SANDBOX_SPEC: ServiceIdentifier<SandboxSpec> = token("@ashlar/tools:SandboxSpec");
export const EGRESS_GATEWAY: ServiceIdentifier<EgressGateway> = token("@ashlar/tools:EgressGateway");
/** Optional: taken by `egressModule`. */
export const EGRESS_SUBSTITUTION: ServiceIdentifier<EgressSubstitution> = token("@ashlar/tools:EgressSubstitution");
/** Resolve with `getAsync`. */
export const BROWSERS: ServiceIdentifier<Browsers> = token("@ashlar/tools:Browsers");
/** Optional, with `SEALER`: what profiles of browsers need. */
export const BROWSER_PROFILES: ServiceIdentifier<BrowserProfiles> = token("@ashlar/tools:BrowserProfiles");
export const SEALER: ServiceIdentifier<Sealer> = token("@ashlar/tools:Sealer");
/** Optional: what recordings of browsers need. */
export const BROWSER_RECORDINGS: ServiceIdentifier<Recordings> = token("@ashlar/tools:Recordings");
export const WORKSPACES: ServiceIdentifier<Workspaces> = token("@ashlar/tools:Workspaces");
export const SANDBOX_TOOLS: ServiceIdentifier<SandboxTools> = token("@ashlar/tools:SandboxTools");
