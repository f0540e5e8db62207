import { test } from "vitest";

export interface HostileCase {
  /** In a few words: how the attack succeeds, or the planted thing is found, where the guard is missing. */
  readonly control: string;
  /** Which adapter or sandbox is attacked, where several are. */
  readonly backend?: string;
  /** For a case that is long by its nature: how long a busy machine may take for it. */
  readonly timeoutMs?: number;
  /** The control: must itself assert that the attack succeeds. */
  unguarded(): Promise<void> | void;
  /** The same attack on the real thing: must assert that it fails. */
  guarded(): Promise<void> | void;
}

declare module "vitest" {
  interface TaskMeta {
    hostile?: { readonly case: string; readonly control: string; readonly backend?: string };
  }
}

/** A hostile case by name. `docs/hostile-cases.md` is generated from these: the control runs first, or nothing is shown. */
export function hostile(name: string, { control, backend, timeoutMs, unguarded, guarded }: HostileCase): void {
  const title = backend === undefined ? `hostile: ${name}` : `hostile: ${name} [${backend}]`;
  test(title, { ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }) }, async ({ task }) => {
    task.meta.hostile = { case: name, control, ...(backend === undefined ? {} : { backend }) };
    await unguarded();
    await guarded();
  });
}
