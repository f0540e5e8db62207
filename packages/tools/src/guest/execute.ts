import type { CommandResult, ExecOptions, SpawnOptions } from "../command.ts";
import type { Clock } from "../dialect.ts";
import type { Execution, Language, MimeBundle, RunOptions } from "../execution.ts";
import type { SandboxLimits } from "../sandbox-spec.ts";
import type { GuestChannel } from "./channel.ts";
import { cancelled, deadline } from "./deadline.ts";
import { Output } from "./output.ts";

/** Code that takes no interrupt is killed after this, and its variables with it. */
const INTERRUPT_GRACE_MS = 1000;
/** A program that ended may have left others that hold its output: nobody waits longer for them. */
const DAEMON_GRACE_MS = 200;
const OUTPUT_BYTES = 1024 * 1024;
const WALL_TIME_MS = 60_000;

export interface Executor {
  readonly channel: GuestChannel;
  readonly clock: Clock;
  readonly limits: SandboxLimits | undefined;
}

/** Runs code in a context of the guest. */
export async function executeCode(
  { channel, clock, limits }: Executor,
  { context, language, code }: { readonly context: string; readonly language: Language; readonly code: string },
  options: RunOptions,
): Promise<Execution> {
  if (options.signal?.aborted) throw cancelled(options.signal);
  const started = clock.now();
  const output = new Output(options.onOutput);
  const results: MimeBundle[] = [];
  let truncated = false;
  let timedOut = false;
  let killed = false;
  const call = channel.call(
    "run",
    { context, language, code, limit: limits?.outputBytes ?? OUTPUT_BYTES },
    {
      onData(number, data) {
        output.add(number, data);
        call.grant(number, data.length);
      },
      onEvent(event) {
        if (typeof event.dropped === "number") truncated ||= event.dropped > 0;
        else results.push(bundleOf(event));
      },
    },
  );
  let releaseGrace = (): void => {};
  const release = deadline(
    clock,
    options.timeoutMs ?? limits?.wallTimeMs ?? WALL_TIME_MS,
    options.signal,
    (aborted) => {
      timedOut = !aborted;
      call.cancel();
      releaseGrace = deadline(clock, INTERRUPT_GRACE_MS, undefined, () => {
        killed = true;
        void channel.call("context.close", { context }).result.catch(() => {});
      });
    },
  );
  try {
    const outcome = await call.result;
    if (options.signal?.aborted) throw cancelled(options.signal);
    const died = "died" in outcome;
    const status = timedOut
      ? "timeout"
      : died
        ? "died"
        : outcome.status === "error" || outcome.status === "interrupted"
          ? outcome.status
          : "ok";
    return {
      status: killed && !timedOut ? "interrupted" : status,
      context,
      results,
      stdout: output.text(1),
      stderr: output.text(2),
      truncated: truncated || outcome.cut === true,
      ...(outcome.status === "error" ? { error: errorOf(outcome.error) } : {}),
      stateLost: died,
      durationMs: clock.now() - started,
    };
  } finally {
    release();
    releaseGrace();
  }
}

/** Runs a program to its end. */
export async function executeCommand(
  { channel, clock, limits }: Executor,
  command: readonly string[],
  options: ExecOptions,
): Promise<CommandResult> {
  const started = clock.now();
  const limit = options.maxOutputBytes ?? limits?.outputBytes ?? OUTPUT_BYTES;
  const output = new Output(options.onOutput);
  const stdin = typeof options.stdin === "string" ? Buffer.from(options.stdin) : options.stdin;
  const call = channel.call(
    "spawn",
    { command, limit, ...settings(options) },
    {
      onData(number, data) {
        output.add(number, data);
        call.grant(number, data.length);
      },
      onEvent(event) {
        if ("exited" in event) letGo = deadline(clock, DAEMON_GRACE_MS, undefined, release);
      },
    },
  );
  let letGo = (): void => {};
  const release = (): void =>
    void channel.call("signal", { task: call.id, signal: "SIGTERM", release: true }).result.catch(() => {});
  const kill = (): void => void channel.call("signal", { task: call.id, signal: "SIGKILL" }).result.catch(() => {});
  let timedOut = false;
  const inTime = deadline(clock, options.timeoutMs ?? limits?.wallTimeMs ?? WALL_TIME_MS, options.signal, (aborted) => {
    timedOut = !aborted;
    kill();
  });
  try {
    if (stdin !== undefined) void call.send(stdin).then(() => call.end());
    else call.end();
    const result = await call.result;
    options.signal?.throwIfAborted();
    return {
      ...(typeof result.signal === "string" ? { signal: result.signal } : {}),
      ...(typeof result.code === "number" ? { exitCode: result.code } : {}),
      stdout: output.text(1),
      stderr: output.text(2),
      truncated: Number(result.dropped ?? 0) > 0,
      timedOut,
      durationMs: clock.now() - started,
    };
  } catch (error) {
    throw options.signal?.aborted ? cancelled(options.signal) : error;
  } finally {
    inTime();
    letGo();
  }
}

/** A program's folder and variables, as the guest takes them. */
export const settings = ({ cwd, environment }: SpawnOptions): Record<string, unknown> => ({
  ...(cwd === undefined ? {} : { cwd }),
  ...(environment === undefined ? {} : { environment }),
});

function bundleOf({ kind, data }: Record<string, unknown>): MimeBundle {
  const forms = Object.entries(typeof data === "object" && data !== null ? data : {}).map(([media, form]) => [
    media,
    String(form),
  ]);
  return { kind: kind === "value" ? "value" : "display", data: Object.fromEntries(forms) };
}

function errorOf(value: unknown): { name: string; message: string; traceback: string } {
  const { name, message, traceback } = (typeof value === "object" && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  return { name: String(name), message: String(message), traceback: String(traceback) };
}
