import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** Begins the name of what this process makes on the host: its namespace of process ids, then its id. */
export function ownPrefix(): string {
  return `ashlar-${namespace()}-${process.pid}-`;
}

/** Hands over what a process that was killed left in a folder. Other namespaces' ids cannot be judged from here. */
export function sweep(folder: string, remove: (path: string) => void): void {
  for (const name of readdirSync(folder)) {
    const [, space, pid] = /^ashlar-(\d+)-(\d+)-/.exec(name) ?? [];
    if (space !== namespace() || alive(Number(pid))) continue;
    try {
      remove(join(folder, name));
    } catch {}
  }
}

function namespace(): string {
  return /\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0] ?? "0";
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
