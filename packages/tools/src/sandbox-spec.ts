import type { Language } from "./execution.ts";
import type { NetworkPolicy } from "./network-policy.ts";

export interface SandboxLimits {
  /** Of the whole tree, with its files in memory. Default 512. */
  readonly memoryMiB?: number;
  /** Share of processors: 0.5 is half of one. Default 1. */
  readonly cpus?: number;
  /** Processes and threads at a time. Default 128. */
  readonly processes?: number;
  /** Workspace and `/tmp` together. Default 256. */
  readonly diskMiB?: number;
  /** Default for each `run` and `exec`. Default 60,000. */
  readonly wallTimeMs?: number;
  /** Life of the sandbox from its creation; it closes itself after. Default: none. */
  readonly lifetimeMs?: number;
  /** Default for stdout and stderr of each run or command. Default 1 MiB. */
  readonly outputBytes?: number;
}

/** Host folder shown inside, read-only unless said. */
export interface SandboxMount {
  readonly source: string;
  readonly target: string;
  readonly writable?: boolean;
}

export interface SandboxSpec {
  /** `TOOLS_LANGUAGE_MISSING` at creation when one of these is not there. */
  readonly languages?: readonly Language[];
  readonly limits?: SandboxLimits;
  readonly network?: NetworkPolicy;
  /** Lets `setNetwork` also widen. Default false. */
  readonly networkMutable?: boolean;
  /** Variables seen by everything inside. Nothing of the host's environment is. No place for secrets. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Python modules imported once; each context then has them at the price of a fork, with new random seeds. */
  readonly preload?: readonly string[];
  /** Restored through the `Workspaces` port before the first call and saved at `close`. */
  readonly workspace?: string;
  readonly mounts?: readonly SandboxMount[];
  /**
   * Lets programs inside make user, process and network namespaces, as Chromium does for its own sandbox. Shows more of
   * the kernel to what runs inside; `TOOLS_UNSUPPORTED` where a backend cannot. Default false.
   */
  readonly userNamespaces?: boolean;
  /** Image of the file system, for backends that have images. */
  readonly image?: string;
}
