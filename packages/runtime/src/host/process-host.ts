import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { Readable, Writable } from "node:stream";
import { type CallContext, type Clock, type IdSource, systemClock, systemIds } from "../dialect.ts";
import { RuntimeError } from "../errors.ts";
import type { HostedLimits, HostedProcess, HostedProgram, SessionHost } from "../session-host.ts";
import { killTree, MARKER, marked, signal, startedAt } from "./process-tree.ts";

export interface ProcessHostDeps {
  readonly clock?: Clock;
  readonly ids?: IdSource;
}

const PRLIMIT = "/usr/bin/prlimit";
const SETPRIV = "/usr/bin/setpriv";

/**
 * One child process per session: an empty environment but for what the program is given, its own process group, no core
 * dumps, a cap on memory where the system has `prlimit`, and an end when this process ends. It separates accidents, not
 * attackers: the child has this user's rights. For those, join a sandbox here instead.
 */
export class ProcessHost implements SessionHost {
  readonly grade = "process" as const;
  readonly #clock: Clock;
  readonly #ids: IdSource;

  constructor({ clock = systemClock, ids = systemIds }: ProcessHostDeps = {}) {
    this.#clock = clock;
    this.#ids = ids;
  }

  async start({ signal: abort }: CallContext, program: HostedProgram): Promise<HostedProcess> {
    const [file, ...rest] = program.command;
    if (file === undefined) throw new RuntimeError("RUNTIME_INVALID", "A program needs a command.");
    const [command = file, ...args] = [...wrapper(program.limits), file, ...rest];
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
    const hosted = this.#hosted(child, marker);
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

  #hosted(child: ChildProcess, marker: string): HostedProcess {
    const { stdin, stdout, stderr, pid } = child;
    if (stdin === null || stdout === null || stderr === null || pid === undefined) {
      throw new RuntimeError("RUNTIME_HOST_FAILED", "The child has no pipes.");
    }
    stdin.on("error", () => {});
    const exit = new Promise<{ readonly code?: number; readonly signal?: string }>((resolve) => {
      child.once("exit", (code, name) => {
        killTree(pid, marker);
        resolve({ ...(code === null ? {} : { code }), ...(name === null ? {} : { signal: name }) });
      });
    });
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

/** Programs that set limits and then become the command, so that the child's pid is the command's. */
function wrapper(limits: HostedLimits = {}): readonly string[] {
  const { memoryMiB, ...others } = limits;
  const unheld = Object.entries(others).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  const memory = memoryMiB !== undefined && !existsSync(PRLIMIT) ? ["memoryMiB"] : [];
  if (unheld.length + memory.length > 0) {
    throw new RuntimeError(
      "RUNTIME_INVALID",
      `The process host cannot hold ${[...unheld, ...memory].join(", ")} for a child. Take a sandbox as the host, or drop the limit.`,
    );
  }
  const bytes = (memoryMiB ?? 0) * 1024 * 1024;
  return [
    ...(existsSync(SETPRIV) ? [SETPRIV, "--pdeathsig", "KILL", "--"] : []),
    ...(existsSync(PRLIMIT) ? [PRLIMIT, "--core=0", ...(bytes > 0 ? [`--data=${bytes}`] : []), "--"] : []),
  ];
}
