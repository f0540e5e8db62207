import { randomUUID } from "node:crypto";
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SandboxLimits } from "../sandbox-spec.ts";
import { ownPrefix, sweep } from "./leftovers.ts";

export interface CgroupLimits {
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly processes: number;
}

/** One sandbox's groups: a process joins by writing its id into each of `join`. */
export interface Cgroup {
  readonly join: readonly string[];
  kill(): void;
  remove(): boolean;
}

export interface CgroupKeeper {
  readonly version: 1 | 2;
  create(name: string, limits: CgroupLimits): Cgroup;
}

const MIB = 1024 * 1024;
const PERIOD = 100_000;

export const cgroupLimits = ({ memoryMiB = 512, cpus = 1, processes = 128 }: SandboxLimits = {}): CgroupLimits => ({
  memoryBytes: memoryMiB * MIB,
  cpus,
  // The sandbox's own init, its monitor and the guest.
  processes: processes + 4,
});

/** The strongest kind of control groups that this process may really write; undefined when there is none. */
export function findCgroups(root = "/sys/fs/cgroup"): CgroupKeeper | undefined {
  for (const keeper of [second(root), first(root)]) {
    if (keeper === undefined) continue;
    try {
      keeper.create(randomUUID(), cgroupLimits()).remove();
      return keeper;
    } catch {}
  }
  return undefined;
}

function second(root: string): CgroupKeeper | undefined {
  if (!existsSync(join(root, "cgroup.controllers"))) return undefined;
  const own = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? "/";
  // A group that holds processes cannot delegate: sandboxes stand beside us, under our parent.
  const base = own === "/" ? root : join(root, own, "..");
  sweep(base, rmdirSync);
  return {
    version: 2,
    create(name, { memoryBytes, cpus, processes }) {
      const folder = join(base, `${ownPrefix()}${name}`);
      return groups([folder], () => {
        writeFileSync(join(folder, "memory.max"), String(memoryBytes));
        if (existsSync(join(folder, "memory.swap.max"))) writeFileSync(join(folder, "memory.swap.max"), "0");
        writeFileSync(join(folder, "cpu.max"), `${Math.round(cpus * PERIOD)} ${PERIOD}`);
        writeFileSync(join(folder, "pids.max"), String(processes));
      });
    },
  };
}

function first(root: string): CgroupKeeper | undefined {
  const [memory, cpu, pids] = ["memory", "cpu", "pids"].map((controller) => join(root, controller)) as [
    string,
    string,
    string,
  ];
  if (![memory, cpu, pids].every(writable)) return undefined;
  for (const folder of [memory, cpu, pids]) sweep(folder, rmdirSync);
  return {
    version: 1,
    create(name, { memoryBytes, cpus, processes }) {
      const at = (controller: string): string => join(controller, `${ownPrefix()}${name}`);
      return groups([at(memory), at(cpu), at(pids)], () => {
        writeFileSync(join(at(memory), "memory.limit_in_bytes"), String(memoryBytes));
        const swap = join(at(memory), "memory.memsw.limit_in_bytes");
        if (existsSync(swap)) writeFileSync(swap, String(memoryBytes));
        writeFileSync(join(at(cpu), "cpu.cfs_period_us"), String(PERIOD));
        writeFileSync(join(at(cpu), "cpu.cfs_quota_us"), String(Math.round(cpus * PERIOD)));
        writeFileSync(join(at(pids), "pids.max"), String(processes));
      });
    },
  };
}

function groups(folders: readonly string[], limit: () => void): Cgroup {
  const lists = folders.map((folder) => join(folder, "cgroup.procs"));
  const group: Cgroup = {
    join: lists,
    kill() {
      for (const list of lists) {
        for (const pid of read(list).split("\n").filter(Boolean)) {
          try {
            process.kill(Number(pid), "SIGKILL");
          } catch {}
        }
      }
    },
    remove: () =>
      folders
        .map((folder) => {
          try {
            rmdirSync(folder);
            return true;
          } catch {
            return !existsSync(folder);
          }
        })
        .every(Boolean),
  };
  try {
    for (const folder of folders) mkdirSync(folder);
    limit();
  } catch (error) {
    group.remove();
    throw error;
  }
  return group;
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function writable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
