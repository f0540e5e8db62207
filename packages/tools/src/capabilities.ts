import type { Language } from "./execution.ts";
import type { IsolationGrade } from "./grades.ts";
import type { NetworkMode } from "./network-policy.ts";

/**
 * - `enforced`: by the kernel or hypervisor, over the whole process tree.
 * - `degraded`: by a weaker means that a hostile program may get past; `notes` says which.
 * - `none`: not at all.
 */
export type Enforcement = "enforced" | "degraded" | "none";

export interface LimitEnforcement {
  readonly memory: Enforcement;
  readonly cpus: Enforcement;
  readonly processes: Enforcement;
  readonly disk: Enforcement;
  readonly wallTime: Enforcement;
  readonly output: Enforcement;
}

/** What a sandbox really offers on this machine; the conformance suite asserts both ways. */
export interface Capabilities {
  /** Name of the backend: `bubblewrap`, `gvisor`, `container`, `wasm`, `process`. */
  readonly backend: string;
  readonly grade: IsolationGrade;
  /** Languages `run` takes, each proven by a probe. */
  readonly languages: readonly Language[];
  /** `exec` and `spawn` start programs. */
  readonly commands: boolean;
  readonly pty: boolean;
  /** `interrupt` stops running code and keeps the context's state. */
  readonly interrupt: boolean;
  /** `ports.expose` reaches servers inside. */
  readonly ports: boolean;
  /** `userNamespaces` of a spec can be had: programs inside may keep a sandbox of their own. */
  readonly userNamespaces: boolean;
  /** Each sandbox comes with a browser. */
  readonly browser?: boolean;
  readonly pause: boolean;
  readonly snapshot: boolean;
  /** Network policies that can be asked for; always contains `none`. */
  readonly network: readonly NetworkMode[];
  readonly limits: LimitEnforcement;
  /** One sentence for each thing that is weaker here than it could be, with what would change it. */
  readonly notes: readonly string[];
}
