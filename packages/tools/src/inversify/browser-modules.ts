import { ContainerModule } from "inversify";
import { Browsers, type BrowsersDeps } from "../browser/browsers.ts";
import { optional, refuseRebind } from "./binding.ts";
import { BROWSER_PROFILES, BROWSER_RECORDINGS, BROWSERS, CLOCK, IDS, SANDBOX_BACKEND, SEALER } from "./tokens.ts";

/** Browsers over the chosen backend; resolve `BROWSERS` with `getAsync`. */
export const browserModule = (options: Pick<BrowsersDeps, "programs" | "redact" | "onOpen"> = {}): ContainerModule =>
  new ContainerModule((load) => {
    refuseRebind(load, BROWSERS);
    load
      .bind(BROWSERS)
      .toResolvedValue(
        (backend, profiles, sealer, recordings, clock, ids) =>
          new Browsers({
            ...options,
            backend,
            ...(profiles === undefined ? {} : { profiles }),
            ...(sealer === undefined ? {} : { sealer }),
            ...(recordings === undefined ? {} : { recordings }),
            ...(clock === undefined ? {} : { clock }),
            ...(ids === undefined ? {} : { ids }),
          }),
        [
          SANDBOX_BACKEND,
          optional(BROWSER_PROFILES),
          optional(SEALER),
          optional(BROWSER_RECORDINGS),
          optional(CLOCK),
          optional(IDS),
        ],
      )
      .inSingletonScope()
      .onDeactivation((browsers) => browsers.close());
  });
