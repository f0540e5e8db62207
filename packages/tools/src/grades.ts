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

export function isAtLeast(grade: IsolationGrade, minimum: IsolationGrade): boolean {
  return GRADES.indexOf(grade) >= GRADES.indexOf(minimum);
}
