import { ContainerModule } from "inversify";
import { BubblewrapBackend, type BubblewrapBackendDeps } from "../bubblewrap/index.ts";
import type { IsolationGrade } from "../grades.ts";
import { ProcessBackend } from "../process/index.ts";
import type { SandboxBackend } from "../sandbox-backend.ts";
import { SandboxSessionHost } from "../session-host.ts";
import { type Choice, strongestBackend } from "../strongest-backend.ts";
import { WasmBackend } from "../wasm/index.ts";
import { optional, refuseRebind } from "./binding.ts";
import {
  CLOCK,
  EGRESS_GATEWAY,
  IDS,
  MIN_ISOLATION,
  SANDBOX_BACKEND,
  SANDBOX_BACKENDS,
  SANDBOX_CHOICE,
  SANDBOX_SESSION_HOST,
  SANDBOX_SPEC,
  WORKSPACES,
} from "./tokens.ts";

/** Chooses, among the backends whose modules are loaded, the strongest that proves itself; never one below the minimum. */
export const toolsModule = (options: { readonly minIsolation: IsolationGrade }): ContainerModule =>
  new ContainerModule((load) => {
    refuseRebind(load, MIN_ISOLATION, SANDBOX_CHOICE, SANDBOX_BACKEND, SANDBOX_SESSION_HOST);
    load.bind(MIN_ISOLATION).toConstantValue(options.minIsolation);
    load
      .bind(SANDBOX_CHOICE)
      .toResolvedValue(
        (minIsolation: IsolationGrade, backends: SandboxBackend[]) => strongestBackend(backends, { minIsolation }),
        [MIN_ISOLATION, { isMultiple: true, serviceIdentifier: SANDBOX_BACKENDS }],
      )
      .inSingletonScope();
    load
      .bind(SANDBOX_BACKEND)
      .toResolvedValue(({ backend }: Choice) => backend, [SANDBOX_CHOICE])
      .inSingletonScope();
    load
      .bind(SANDBOX_SESSION_HOST)
      .toResolvedValue(
        (backend, spec) => new SandboxSessionHost({ backend, ...(spec === undefined ? {} : { spec }) }),
        [SANDBOX_BACKEND, optional(SANDBOX_SPEC)],
      )
      .inSingletonScope();
  });

export const bubblewrapModule = (
  options: Pick<BubblewrapBackendDeps, "bwrap" | "python" | "node"> = {},
): ContainerModule =>
  new ContainerModule(({ bind }) => {
    bind(SANDBOX_BACKENDS)
      .toResolvedValue(
        (clock, ids, egress, workspaces) =>
          new BubblewrapBackend({ ...options, ...given({ clock, ids, egress, workspaces }) }),
        [optional(CLOCK), optional(IDS), optional(EGRESS_GATEWAY), optional(WORKSPACES)],
      )
      .inSingletonScope()
      .onDeactivation((backend) => backend.close());
  });

export const wasmModule = (): ContainerModule =>
  new ContainerModule(({ bind }) => {
    bind(SANDBOX_BACKENDS)
      .toResolvedValue(
        (clock, ids, workspaces) => new WasmBackend(given({ clock, ids, workspaces })),
        [optional(CLOCK), optional(IDS), optional(WORKSPACES)],
      )
      .inSingletonScope()
      .onDeactivation((backend) => backend.close());
  });

export const processModule = (options: { readonly unsafe: true }): ContainerModule =>
  new ContainerModule(({ bind }) => {
    bind(SANDBOX_BACKENDS)
      .toResolvedValue(
        (clock, ids, workspaces) => new ProcessBackend({ ...options, ...given({ clock, ids, workspaces }) }),
        [optional(CLOCK), optional(IDS), optional(WORKSPACES)],
      )
      .inSingletonScope()
      .onDeactivation((backend) => backend.close());
  });

/** Without the keys whose value nobody bound. */
function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
