import { readdirSync, readFileSync } from "node:fs";

/** The variable by which everything that a hosted program starts is found again, also after it left its group. */
export const MARKER = "ASHLAR_HOSTED";

/** Processes whose first environment carries the marker with this value; empty where there is no `/proc`. */
export function marked(matches: (value: string) => boolean): readonly number[] {
  return processIds().filter((pid) => {
    const value = markerOf(pid);
    return value !== undefined && matches(value) && stateOf(pid) !== "Z";
  });
}

/** Kills the group and everything marked, again until a look finds nothing: forks race with a single pass. */
export function killTree(leader: number, marker: string): void {
  signal(-leader);
  for (let pass = 0; pass < 50; pass++) {
    const left = marked((value) => value === marker);
    if (left.length === 0) return;
    for (const pid of left) signal(pid);
  }
}

/** What the processes of one tree use now. */
export interface TreeUsage {
  readonly processes: number;
  /** Pages that several of them share are counted once. */
  readonly memoryBytes: number;
  /** Of those that live and of the children that they have waited for. */
  readonly cpuSeconds: number;
}

/** By the value of the marker, for those of `markers` that have a process. One look at the machine for all. */
export function treeUsage(markers: ReadonlySet<string>): ReadonlyMap<string, TreeUsage> {
  const usage = new Map<string, TreeUsage>();
  for (const pid of processIds()) {
    const marker = markerOf(pid);
    if (marker === undefined || !markers.has(marker)) continue;
    const { processes, memoryBytes, cpuSeconds } = usage.get(marker) ?? { processes: 0, memoryBytes: 0, cpuSeconds: 0 };
    const ticks = (statOf(pid) ?? []).slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    usage.set(marker, {
      processes: processes + 1,
      memoryBytes: memoryBytes + proportionalSetSize(pid),
      cpuSeconds: cpuSeconds + ticks / TICKS_PER_SECOND,
    });
  }
  return usage;
}

/** Field 22 of `/proc/<pid>/stat`: with the pid it names one process of this boot. One that only waits for its parent is dead. */
export function startedAt(pid: number): string | undefined {
  const stat = statOf(pid);
  return stat?.[0] === "Z" ? undefined : stat?.[19];
}

/** What Linux tells programs, whatever its own tick is. */
const TICKS_PER_SECOND = 100;

function proportionalSetSize(pid: number): number {
  try {
    const kibibytes = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1];
    return Number(kibibytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function processIds(): readonly number[] {
  try {
    return readdirSync("/proc").map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}

function markerOf(pid: number): string | undefined {
  try {
    const entries = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    return entries.find((entry) => entry.startsWith(`${MARKER}=`))?.slice(MARKER.length + 1);
  } catch {
    return undefined;
  }
}

const stateOf = (pid: number): string | undefined => statOf(pid)?.[0];

function statOf(pid: number): readonly string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

export function signal(pid: number, name: NodeJS.Signals = "SIGKILL"): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone already.
  }
}
