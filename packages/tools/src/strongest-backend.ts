import { ToolsError } from "./errors.ts";
import { GRADES, type IsolationGrade, isAtLeast } from "./grades.ts";
import type { ProbeReport, SandboxBackend } from "./sandbox-backend.ts";

export interface Choice {
  readonly backend: SandboxBackend;
  /** Every probe that was made, the chosen one's last: those that failed say why. */
  readonly reports: readonly ProbeReport[];
}

/**
 * The strongest of `backends` that proves itself here, never one below `minIsolation`: then it rejects with
 * `TOOLS_ISOLATION_UNAVAILABLE`, whose message holds each failed probe's reason and remedy. Of equal grades the first
 * in the list is tried first; a backend below the minimum is not even probed.
 */
export async function strongestBackend(
  backends: readonly SandboxBackend[],
  { minIsolation }: { readonly minIsolation: IsolationGrade },
): Promise<Choice> {
  const reports: ProbeReport[] = [];
  const candidates = backends
    .filter(({ grade }) => isAtLeast(grade, minIsolation))
    .sort((a, b) => GRADES.indexOf(b.grade) - GRADES.indexOf(a.grade));
  for (const backend of candidates) {
    const report = await backend.probe();
    reports.push(report);
    if (report.ok && isAtLeast(report.capabilities.grade, minIsolation)) return { backend, reports };
  }
  const said = reports.map((report) => (report.ok ? "" : ` ${report.backend}: ${report.reason} ${report.remedy}`));
  throw new ToolsError(
    "TOOLS_ISOLATION_UNAVAILABLE",
    `No backend of grade ${minIsolation} or stronger proves itself here.${said.join("") || " None was given."}`,
  );
}
