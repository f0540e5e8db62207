import type { ContainerModuleLoadOptions, ServiceIdentifier } from "inversify";
import type { Clock, IdSource } from "../dialect.ts";

/** A typed token, spelled `@ashlar/<package>:<Port>`. `Symbol.for` keeps it equal across duplicate installs. */
export const token = <T>(name: string): ServiceIdentifier<T> => Symbol.for(name) as ServiceIdentifier<T>;

/** Spelled alike in all packages: bind them once and every module takes them; unbound, the system's own serve. */
export const CLOCK: ServiceIdentifier<Clock> = token("@ashlar:Clock");
export const IDS: ServiceIdentifier<IdSource> = token("@ashlar:IdSource");

/** An optional dependency of `toResolvedValue`: `undefined` when nobody bound it. */
export const optional = <T>(
  serviceIdentifier: ServiceIdentifier<T>,
): { readonly serviceIdentifier: ServiceIdentifier<T>; readonly optional: true } => ({
  serviceIdentifier,
  optional: true,
});

/** Throws when a token is already bound: inversify itself stays silent until `get`. Call it first in a module. */
export function refuseRebind({ isBound }: ContainerModuleLoadOptions, ...tokens: readonly ServiceIdentifier[]): void {
  for (const each of tokens) {
    if (!isBound(each)) continue;
    throw Object.assign(
      new Error(
        `${String(each)} is already bound: load one module for it, unload the other first, or use rebind on purpose.`,
      ),
      { code: "ASHLAR_TOKEN_BOUND", kind: "conflict", retryable: false },
    );
  }
}
