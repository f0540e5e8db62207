import type { ProcessExit, SandboxProcess } from "../command.ts";
import type { GuestCall, GuestChannel } from "./channel.ts";

const STREAMS = { stdout: 1, stderr: 2 } as const;

/** A program inside, as web streams under back-pressure. */
export async function startProcess(
  channel: GuestChannel,
  id: string,
  args: Record<string, unknown>,
  signal?: AbortSignal,
): Promise<SandboxProcess> {
  const controllers = new Map<number, ReadableStreamDefaultController<Uint8Array>>();
  let started: () => void = () => {};
  const begun = new Promise<void>((resolve) => {
    started = resolve;
  });
  let call: GuestCall;
  const stream = (number: number): ReadableStream<Uint8Array> => {
    let owed = 0;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => void controllers.set(number, controller),
        pull: () => {
          const bytes = taken.get(number) ?? 0;
          taken.set(number, 0);
          owed += bytes;
          if (owed > 0) call.grant(number, owed);
          owed = 0;
        },
        cancel: () => {
          controllers.delete(number);
          call.grant(number, 2 ** 31);
        },
      },
      { highWaterMark: 0 },
    );
  };
  const taken = new Map<number, number>();
  const stdout = stream(STREAMS.stdout);
  const stderr = stream(STREAMS.stderr);
  call = channel.call("spawn", args, {
    onData(number, data) {
      taken.set(number, (taken.get(number) ?? 0) + data.length);
      controllers.get(number)?.enqueue(new Uint8Array(data));
    },
    onEnd: (number) => close(number),
    onEvent: (event) => {
      if ("started" in event) started();
    },
  });
  const close = (number: number): void => {
    controllers.get(number)?.close();
    controllers.delete(number);
  };
  const exit: Promise<ProcessExit> = call.result.then(
    (result) => {
      for (const number of controllers.keys()) close(number);
      return exitOf(result);
    },
    (error: Error) => {
      for (const number of controllers.keys()) close(number);
      return { reason: error.message };
    },
  );
  await Promise.race([begun, call.result]);
  const send = (name: string): Promise<unknown> =>
    channel.call("signal", { task: call.id, signal: name, release: true }).result.catch(() => {});
  const kill: SandboxProcess["kill"] = async ({ graceMs = 0 } = {}) => {
    if (graceMs > 0) {
      await send("SIGTERM");
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([exit, new Promise((resolve) => (timer = setTimeout(resolve, graceMs)))]);
      clearTimeout(timer);
    }
    await send("SIGKILL");
  };
  const aborted = (): void => void kill();
  signal?.addEventListener("abort", aborted, { once: true });
  void exit.then(() => signal?.removeEventListener("abort", aborted));
  return {
    id,
    stdin: new WritableStream<Uint8Array>({
      write: (data) => call.send(data),
      close: () => call.end(),
      abort: () => call.end(),
    }),
    stdout,
    stderr,
    exit,
    kill,
    resize: async (size) => void (await channel.call("resize", { task: call.id, size }).result),
  };
}

function exitOf(result: Record<string, unknown>): ProcessExit {
  return {
    ...(typeof result.code === "number" ? { code: result.code } : {}),
    ...(typeof result.signal === "string" ? { signal: result.signal } : {}),
  };
}
