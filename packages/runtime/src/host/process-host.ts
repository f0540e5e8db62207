import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { Readable, Writable } from "node:stream";
import { type CallContext, type Clock, type IdSource, systemClock, systemIds } from "../dialect.ts";
import { RuntimeError } from "../errors.ts";
import type { HostedLimits, HostedProcess, HostedProgram, SessionHost } from "../session-host.ts";
import { killTree, MARKER, marked, signal, startedAt } from "./process-tree.ts";
import { TreeWatch } from "./tree-watch.ts";

export interface ProcessHostDeps {
  readonly clock?: Clock;
  readonly ids?: IdSource;
}

const PRLIMIT = "/usr/bin/prlimit";
const SETPRIV = "/usr/bin/setpriv";

/**
 * One child process per session: an empty environment but for what the program is given, its own process group, no core
 * dumps, and an end when this process ends. It separates accidents, not attackers: the child has this user's rights. For
 * those, join a sandbox here instead. Linux holds each process to its memory and processor time where it has `prlimit`;
 * the whole tree is looked at five times a second, and killed with its reason when it is over.
 */
export class ProcessHost implements SessionHost {
  readonly grade = "process" as const;
  readonly #clock: Clock;
  readonly #ids: IdSource;
  readonly #watch: TreeWatch;

  constructor({ clock = systemClock, ids = systemIds }: ProcessHostDeps = {}) {
    this.#clock = clock;
    this.#ids = ids;
    this.#watch = new TreeWatch({ clock });
  }

  async start({ signal: abort }: CallContext, program: HostedProgram): Promise<HostedProcess> {
    const [file, ...rest] = program.command;
    if (file === undefined) throw new RuntimeError("RUNTIME_INVALID", "A program needs a command.");
    const { limits = {} } = program;
    const held = enforcement(limits);
    const [command = file, ...args] = [...wrapper(limits), file, ...rest];
    const marker = `${process.pid}:${startedAt(process.pid) ?? ""}:${this.#ids.next("prc")}`;
    const child = spawn(command, args, {
      cwd: program.workspace,
      env: { ...program.environment, [MARKER]: marker },
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", (cause) =>
        reject(new RuntimeError("RUNTIME_HOST_FAILED", `${file} could not be started: ${cause.message}.`, { cause })),
      );
    });
    const hosted = { ...this.#hosted(child, marker, limits), held };
    abort?.addEventListener("abort", () => void hosted.kill(), { once: true });
    return hosted;
  }

  /** Ends what earlier runtimes on this machine started and left behind when they were killed. */
  async reap(): Promise<number> {
    const orphans = marked((value) => {
      const [pid = "", started = ""] = value.split(":");
      return started !== "" && startedAt(Number(pid)) !== started;
    });
    for (const pid of orphans) signal(pid);
    return orphans.length;
  }

  #hosted(child: ChildProcess, marker: string, limits: HostedLimits): HostedProcess {
    const { stdin, stdout, stderr, pid } = child;
    if (stdin === null || stdout === null || stderr === null || pid === undefined) {
      throw new RuntimeError("RUNTIME_HOST_FAILED", "The child has no pipes.");
    }
    stdin.on("error", () => {});
    const over = new AbortController();
    const end = (reason: string) => {
      over.abort(reason);
      killTree(pid, marker);
    };
    const exit = new Promise<Awaited<HostedProcess["exit"]>>((resolve) => {
      child.once("exit", (code, name) => {
        killTree(pid, marker);
        this.#watch.remove(marker);
        const reason = over.signal.aborted ? { reason: String(over.signal.reason) } : {};
        over.abort();
        resolve({ ...(code === null ? {} : { code }), ...(name === null ? {} : { signal: name }), ...reason });
      });
    });
    const { lifetimeMs, ...watched } = limits;
    if (Object.values(watched).some((limit) => limit !== undefined)) this.#watch.add(marker, watched, end);
    if (lifetimeMs !== undefined) {
      const late = () => end(`lived longer than ${lifetimeMs} ms`);
      this.#clock.sleep(lifetimeMs, { signal: over.signal }).then(late, () => {});
    }
    return {
      stdin: Writable.toWeb(stdin) as WritableStream<Uint8Array>,
      stdout: Readable.toWeb(stdout) as ReadableStream<Uint8Array>,
      stderr: Readable.toWeb(stderr) as ReadableStream<Uint8Array>,
      exit,
      kill: async ({ graceMs = 0 } = {}) => {
        if (graceMs > 0 && child.exitCode === null && child.signalCode === null) {
          signal(-pid, "SIGTERM");
          const stop = new AbortController();
          const grace = this.#clock.sleep(graceMs, { signal: stop.signal }).catch(() => {});
          await Promise.race([exit, grace]);
          stop.abort();
        }
        killTree(pid, marker);
        await exit;
      },
    };
  }
}

/** How each limit is held here; one that is not is refused. */
function enforcement(limits: HostedLimits): NonNullable<HostedProcess["held"]> {
  const asked = Object.entries(limits).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  const looks = existsSync("/proc/self/environ") ? "degraded" : undefined;
  const known = { memoryMiB: looks, cpuSeconds: looks, processes: looks, lifetimeMs: "enforced" } as const;
  const held = Object.entries(known).filter(([name, how]) => how !== undefined && asked.includes(name));
  const unheld = asked.filter((name) => held.every(([other]) => other !== name));
  if (unheld.length === 0) return Object.fromEntries(held);
  throw new RuntimeError(
    "RUNTIME_INVALID",
    `The process host cannot hold ${unheld.join(", ")} for a child. Take a sandbox as the host, or drop the limit.`,
  );
}

/** Programs that set limits and then become the command, so that the child's pid is the command's. */
function wrapper({ memoryMiB, cpuSeconds }: HostedLimits): readonly string[] {
  const bounds = [
    ...(memoryMiB === undefined ? [] : [`--data=${Math.ceil(memoryMiB * 2 ** 20)}`]),
    ...(cpuSeconds === undefined ? [] : [`--cpu=${Math.ceil(cpuSeconds)}:${Math.ceil(cpuSeconds) + 1}`]),
  ];
  return [
    ...(existsSync(SETPRIV) ? [SETPRIV, "--pdeathsig", "KILL", "--"] : []),
    ...(existsSync(PRLIMIT) ? [PRLIMIT, "--core=0", ...bounds, "--"] : []),
  ];
}
