import type { ProcessExit, SandboxProcess } from "./command.ts";
import type { CallContext } from "./dialect.ts";
import type { IsolationGrade } from "./grades.ts";
import type { SandboxBackend } from "./sandbox-backend.ts";
import type { SandboxSpec } from "./sandbox-spec.ts";

export interface HostedProcess {
  readonly stdin: WritableStream<Uint8Array>;
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  readonly exit: Promise<ProcessExit>;
  kill(options?: { readonly graceMs?: number }): Promise<void>;
}

export interface HostedProgram {
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly workspace?: string;
  readonly limits?: {
    readonly memoryMiB?: number;
    readonly cpus?: number;
    readonly processes?: number;
    readonly diskMiB?: number;
  };
}

/** Hosts long-lived programs, one sandbox each, which ends with its program. */
export class SandboxSessionHost {
  readonly grade: IsolationGrade;
  readonly #backend: SandboxBackend;
  readonly #spec: SandboxSpec;

  /** `spec` is what every sandbox has in common: mounts that hold the programs, the network. */
  constructor({ backend, spec = {} }: { readonly backend: SandboxBackend; readonly spec?: SandboxSpec }) {
    this.#backend = backend;
    this.#spec = spec;
    this.grade = backend.grade;
  }

  async start(
    context: CallContext,
    { command, environment, workspace, limits }: HostedProgram,
  ): Promise<HostedProcess> {
    const sandbox = await this.#backend.create(context, {
      ...this.#spec,
      ...(workspace === undefined ? {} : { workspace }),
      limits: { ...this.#spec.limits, ...limits },
    });
    let program: SandboxProcess;
    try {
      program = await sandbox.spawn(command, environment === undefined ? {} : { environment });
    } catch (error) {
      await sandbox.close();
      throw error;
    }
    const { stdin, stdout, stderr, kill } = program;
    return { stdin, stdout, stderr, kill, exit: program.exit.finally(() => sandbox.close()) };
  }
}
