import { ContainerModule } from "inversify";
import { EgressProxy, type EgressProxyDeps } from "../egress/index.ts";
import { GvisorBackend, type GvisorBackendDeps } from "../gvisor/index.ts";
import { SandboxTools, type SandboxToolsDeps } from "../toolset/index.ts";
import { optional, refuseRebind } from "./binding.ts";
import {
  CLOCK,
  EGRESS_GATEWAY,
  EGRESS_SUBSTITUTION,
  IDS,
  SANDBOX_BACKEND,
  SANDBOX_BACKENDS,
  SANDBOX_SPEC,
  SANDBOX_TOOLS,
  WORKSPACES,
} from "./tokens.ts";

export const gvisorModule = (options: Pick<GvisorBackendDeps, "platform" | "python" | "node"> = {}): ContainerModule =>
  new ContainerModule(({ bind }) => {
    bind(SANDBOX_BACKENDS)
      .toResolvedValue(
        (clock, ids, workspaces) =>
          new GvisorBackend({
            ...options,
            ...(clock === undefined ? {} : { clock }),
            ...(ids === undefined ? {} : { ids }),
            ...(workspaces === undefined ? {} : { workspaces }),
          }),
        [optional(CLOCK), optional(IDS), optional(WORKSPACES)],
      )
      .inSingletonScope()
      .onDeactivation((backend) => backend.close());
  });

/** The way out for backends that can take one. */
export const egressModule = (options: Omit<EgressProxyDeps, "clock" | "substitution"> = {}): ContainerModule =>
  new ContainerModule((load) => {
    refuseRebind(load, EGRESS_GATEWAY);
    load
      .bind(EGRESS_GATEWAY)
      .toResolvedValue(
        (clock, substitution) =>
          new EgressProxy({
            ...options,
            ...(clock === undefined ? {} : { clock }),
            ...(substitution === undefined ? {} : { substitution }),
          }),
        [optional(CLOCK), optional(EGRESS_SUBSTITUTION)],
      )
      .inSingletonScope()
      .onDeactivation((gateway) => (gateway instanceof EgressProxy ? gateway.close() : undefined));
  });

/** Tools over the chosen backend, one sandbox per session; resolve `SANDBOX_TOOLS` with `getAsync`. */
export const sandboxToolsModule = (options: Pick<SandboxToolsDeps, "tools" | "spec" | "idleMs">): ContainerModule =>
  new ContainerModule((load) => {
    refuseRebind(load, SANDBOX_TOOLS);
    load
      .bind(SANDBOX_TOOLS)
      .toResolvedValue(
        (backend, spec, clock, ids) =>
          new SandboxTools({
            ...(spec === undefined ? {} : { spec }),
            ...options,
            backend,
            ...(clock === undefined ? {} : { clock }),
            ...(ids === undefined ? {} : { ids }),
          }),
        [SANDBOX_BACKEND, optional(SANDBOX_SPEC), optional(CLOCK), optional(IDS)],
      )
      .inSingletonScope()
      .onDeactivation((tools) => tools.close());
  });
