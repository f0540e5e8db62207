import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import type { IdSource } from "../dialect.ts";

/**
 * Names a worker so that another on the same machine can prove it dead: host, boot, process namespace, process id and
 * the process's start time, then a random part. Where the system does not tell, only leases decide.
 */
export function ownerName(ids: IdSource): string {
  return JSON.stringify([...place(), process.pid, startTime(process.pid), ids.next("own")]);
}

/** True only if the owner ran on this very machine, since this very boot, and its process is gone. */
export function isProvablyDead(owner: string): boolean {
  const parsed = parse(owner);
  if (parsed === undefined) return false;
  const { where, pid, started } = parsed;
  const here = place();
  if (started === "" || here.some((part, index) => part === "" || part !== where[index])) return false;
  return startTime(pid) !== started;
}

function parse(owner: string): { where: readonly string[]; pid: number; started: string } | undefined {
  try {
    const [host, boot, namespace, pid, started] = JSON.parse(owner) as [string, string, string, number, string];
    return { where: [host, boot, namespace], pid, started };
  } catch {
    return undefined;
  }
}

function place(): readonly [string, string, string] {
  return [hostname(), read("/proc/sys/kernel/random/boot_id"), link("/proc/self/ns/pid")];
}

/** Field 22 of `/proc/<pid>/stat`, counted after the command's closing bracket; empty when there is no such process. */
function startTime(pid: number): string {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" ? "" : (fields[19] ?? "");
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
