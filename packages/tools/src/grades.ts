import { ToolsError } from "./errors.ts";

/** How strongly a sandbox is set apart from its host, in rising order. */
export const GRADES = ["none", "process", "language", "namespace", "kernel", "vm"] as const;

/**
 * - `none`: ordinary child processes of the host user.
 * - `process`: other user or limits, the same view of the machine.
 * - `language`: an interpreter without access to the host (QuickJS in WebAssembly).
 * - `namespace`: own view of files, processes and network, filtered system calls, the host's kernel.
 * - `kernel`: system calls are served by another kernel in user space (gVisor).
 * - `vm`: hardware virtualisation.
 */
export type IsolationGrade = (typeof GRADES)[number];

/** `TOOLS_INVALID` for a minimum that is no grade: else every backend would reach it. */
export function isAtLeast(grade: IsolationGrade, minimum: IsolationGrade): boolean {
  const wanted = GRADES.indexOf(minimum);
  if (wanted < 0) throw new ToolsError("TOOLS_INVALID", `There is no such grade: choose one of ${GRADES.join(", ")}.`);
  return GRADES.indexOf(grade) >= wanted;
}
