import type { CallContext } from "../dialect.ts";
import { RuntimeError } from "../errors.ts";
import type { HostedProcess, HostedProgram, SessionHost } from "../session-host.ts";

export interface InProcessChannel {
  readonly stdin: ReadableStream<Uint8Array>;
  readonly stdout: WritableStream<Uint8Array>;
  readonly stderr: WritableStream<Uint8Array>;
  readonly arguments: readonly string[];
  /** Aborts when the program is killed; nothing can end one that does not listen. */
  readonly signal: AbortSignal;
}

export type InProcessProgram = (channel: InProcessChannel) => Promise<number | undefined>;

export interface InProcessHostDeps {
  /** By the first word of the command. */
  readonly programs: Readonly<Record<string, InProcessProgram>>;
}

/** Functions of this very process, for development and for code that is trusted: it isolates nothing and holds no limit. */
export class InProcessHost implements SessionHost {
  readonly grade = "none" as const;
  readonly #programs: ReadonlyMap<string, InProcessProgram>;

  constructor({ programs }: InProcessHostDeps) {
    this.#programs = new Map(Object.entries(programs));
  }

  async start(_: CallContext, { command, limits = {} }: HostedProgram): Promise<HostedProcess> {
    const [name = "", ...rest] = command;
    const program = this.#programs.get(name);
    if (program === undefined) {
      throw new RuntimeError("RUNTIME_NOT_FOUND", `The in-process host has no program named ${name}.`);
    }
    if (Object.values(limits).some((limit) => limit !== undefined)) {
      throw new RuntimeError("RUNTIME_INVALID", "The in-process host holds no limits. Drop them or take another host.");
    }
    const [input, output, errors] = [pipe(), pipe(), pipe()];
    const controller = new AbortController();
    const channel = {
      stdin: input.readable,
      stdout: output.writable,
      stderr: errors.writable,
      arguments: rest,
      signal: controller.signal,
    };
    const ended = (async () => program(channel))().then(
      (code) => (controller.signal.aborted ? { signal: "SIGKILL" } : { code: code ?? 0 }),
      (error: unknown) =>
        controller.signal.aborted
          ? { signal: "SIGKILL" }
          : { code: 1, reason: error instanceof Error ? error.message : String(error) },
    );
    const killed = new Promise<{ readonly signal: string }>((resolve) => {
      controller.signal.addEventListener("abort", () => resolve({ signal: "SIGKILL" }), { once: true });
    });
    const exit = Promise.race([ended, killed]).finally(async () => {
      await Promise.allSettled([closed(output.writable), closed(errors.writable)]);
    });
    return {
      stdin: input.writable,
      stdout: output.readable,
      stderr: errors.readable,
      exit,
      kill: async () => {
        controller.abort();
        await exit;
      },
    };
  }
}

const pipe = (): TransformStream<Uint8Array, Uint8Array> =>
  new TransformStream({}, { highWaterMark: 64 }, { highWaterMark: 64 });

const closed = (stream: WritableStream<Uint8Array>): Promise<void> =>
  stream.locked ? Promise.resolve() : stream.close().catch(() => {});
