import type { Enforcement, LimitEnforcement } from "./capabilities.ts";
import type { ProcessExit, SandboxProcess } from "./command.ts";
import type { CallContext } from "./dialect.ts";
import { ToolsError } from "./errors.ts";
import type { IsolationGrade } from "./grades.ts";
import { parseSandboxSpec } from "./parse-sandbox-spec.ts";
import type { SandboxBackend } from "./sandbox-backend.ts";
import type { SandboxSpec } from "./sandbox-spec.ts";

type HostedLimit = "memoryMiB" | "cpus" | "processes" | "diskMiB" | "lifetimeMs";

const LIMITS: Readonly<Record<HostedLimit, keyof LimitEnforcement>> = {
  memoryMiB: "memory",
  cpus: "cpus",
  processes: "processes",
  diskMiB: "disk",
  lifetimeMs: "wallTime",
};

export interface HostedProcess {
  readonly stdin: WritableStream<Uint8Array>;
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  readonly exit: Promise<ProcessExit>;
  /** How each limit that was asked for is held. */
  readonly held: { readonly [limit in HostedLimit]?: Exclude<Enforcement, "none"> };
  kill(options?: { readonly graceMs?: number }): Promise<void>;
}

export interface HostedProgram {
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly workspace?: string;
  /** One that the backend cannot hold is `TOOLS_UNSUPPORTED`. */
  readonly limits?: { readonly [limit in HostedLimit]?: number };
}

/** Hosts long-lived programs, one sandbox each, which ends with its program. */
export class SandboxSessionHost {
  readonly grade: IsolationGrade;
  readonly #backend: SandboxBackend;
  readonly #spec: SandboxSpec;

  /** `spec` is what every sandbox has in common: mounts that hold the programs, the network. */
  constructor({ backend, spec = {} }: { readonly backend: SandboxBackend; readonly spec?: SandboxSpec }) {
    this.#backend = backend;
    this.#spec = parseSandboxSpec(spec);
    this.grade = backend.grade;
  }

  async start(
    context: CallContext,
    { command, environment, workspace, limits }: HostedProgram,
  ): Promise<HostedProcess> {
    const asked = Object.entries(limits ?? {}).filter(([, value]) => value !== undefined);
    refuse(asked.flatMap(([name]) => (name in LIMITS ? [] : [name])));
    const sandbox = await this.#backend.create(context, {
      ...this.#spec,
      ...(workspace === undefined ? {} : { workspace }),
      limits: { ...this.#spec.limits, ...limits },
    });
    let program: SandboxProcess;
    let held: HostedProcess["held"];
    try {
      held = heldBy(sandbox.capabilities.limits, limits);
      program = await sandbox.spawn(command, environment === undefined ? {} : { environment });
    } catch (error) {
      await sandbox.close();
      throw error;
    }
    const { stdin, stdout, stderr, kill } = program;
    return { stdin, stdout, stderr, kill, held, exit: program.exit.finally(() => sandbox.close()) };
  }
}

function heldBy(offered: LimitEnforcement, limits: HostedProgram["limits"] = {}): HostedProcess["held"] {
  const asked = Object.entries(limits).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  const held = asked.map((name) => [name, offered[LIMITS[name as HostedLimit]] ?? "none"] as const);
  refuse(held.flatMap(([name, how]) => (how === "none" ? [name] : [])));
  return Object.fromEntries(held);
}

function refuse(unheld: readonly string[]): void {
  if (unheld.length === 0) return;
  throw new ToolsError("TOOLS_UNSUPPORTED", `This sandbox cannot hold ${unheld.join(", ")}: drop the limit.`);
}
