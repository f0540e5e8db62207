import { existsSync } from "node:fs";
import { ToolsError } from "../errors.ts";
import type { SandboxMount } from "../sandbox-spec.ts";

/** What a sandbox with a root of its own needs for itself. */
const TAKEN = ["/proc", "/sys", "/dev", "/etc", "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/tmp", "/run"];

/** Throws `TOOLS_INVALID` for a folder that is not there, or a place that is the sandbox's own. */
export function assertMountable({ source, target }: SandboxMount): void {
  const taken = target === "/workspace" || TAKEN.some((path) => target === path || target.startsWith(`${path}/`));
  if (taken) throw new ToolsError("TOOLS_INVALID", `Nothing can be mounted at ${target}: choose a folder of its own.`);
  if (!existsSync(source)) {
    throw new ToolsError("TOOLS_INVALID", `There is no ${source} on this host to be shown at ${target}.`);
  }
}
