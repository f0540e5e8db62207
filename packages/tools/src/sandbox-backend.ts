import type { Capabilities } from "./capabilities.ts";
import type { CallContext } from "./dialect.ts";
import type { IsolationGrade } from "./grades.ts";
import type { Sandbox } from "./sandbox.ts";
import type { SandboxSpec } from "./sandbox-spec.ts";

/** The outcome of a real try: something was started inside and did what it should, and could not do what it should not. */
export type ProbeReport =
  | { readonly ok: true; readonly backend: string; readonly capabilities: Capabilities }
  | {
      readonly ok: false;
      readonly backend: string;
      readonly grade: IsolationGrade;
      /** What failed, as the machine said it. */
      readonly reason: string;
      /** The setting, package or profile to change. */
      readonly remedy: string;
    };

/** Makes sandboxes of one kind. */
export interface SandboxBackend {
  readonly name: string;
  /** The grade it has when its probe succeeds. */
  readonly grade: IsolationGrade;
  /** Proves the backend on this machine; the result is kept, so that asking again is cheap. Never rejects. */
  probe(): Promise<ProbeReport>;
  /** Rejects with `TOOLS_ISOLATION_UNAVAILABLE` when the probe fails: there is no weaker second try. */
  create(context: CallContext, spec?: SandboxSpec): Promise<Sandbox>;
  /** Ends every sandbox it made. */
  close(): Promise<void>;
}
