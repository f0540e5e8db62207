import type { Agent, TurnInput } from "../agent.ts";
import { type Clock, type Json, systemClock } from "../dialect.ts";
import { RuntimeError } from "../errors.ts";
import { encodeFrame, FrameDecoder, FrameError } from "../internal/frames.ts";
import type { ApprovalRequest, Session, StepOptions, Usage } from "../session.ts";
import type { HostedProcess, HostedProgram, SessionHost } from "../session-host.ts";
import { type FromChild, hostedMethods, type ToChild, thrown, wireError } from "./protocol.ts";

export interface HostedAgentOptions extends Omit<Agent, "run"> {
  readonly host: SessionHost;
  /** A program that calls `serveHosted`. It gets this environment and nothing of ours. */
  readonly program: HostedProgram;
  /** A child that has not finished its turn by then is killed. Waiting without a process does not count. Default 1 h. */
  readonly timeoutMs?: number;
  /** Between the request to end and SIGKILL, when a turn is interrupted. Default 2 s. */
  readonly graceMs?: number;
  readonly clock?: Clock;
}

/** Of the child's error stream, this many characters are kept to explain its end. */
const LAST_WORDS = 2_000;

/** An agent whose turns run in a child of any host, one child per run of a turn; the log stays on this side. */
export function hostedAgent(options: HostedAgentOptions): Agent {
  const { host, program, timeoutMs = 3_600_000, graceMs = 2_000, clock = systemClock, ...agent } = options;
  return {
    ...agent,
    async run(session, input): Promise<Json | undefined> {
      await session.emit("session.hosted", { grade: host.grade });
      const child = await host.start({ principal: session.context.principal }, program);
      const turn = new HostedTurn(session, child);
      const over = new AbortController();
      const interrupted = () => void child.kill({ graceMs });
      session.signal.addEventListener("abort", interrupted, { once: true });
      const late = clock.sleep(timeoutMs, { signal: over.signal }).then(
        () => Promise.reject(failed(`did not finish its turn within ${timeoutMs} ms`, turn.lastWords)),
        () => new Promise<never>(() => {}),
      );
      try {
        return await Promise.race([turn.run(input), late]);
      } finally {
        over.abort();
        session.signal.removeEventListener("abort", interrupted);
        await child.kill();
      }
    },
  };
}

class HostedTurn {
  readonly #session: Session;
  readonly #child: HostedProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #executing = new Map<number, { resolve(value: Json | undefined): void; reject(error: Error): void }>();
  lastWords = "";

  constructor(session: Session, child: HostedProcess) {
    this.#session = session;
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    void this.#listen();
  }

  async run(input: TurnInput): Promise<Json | undefined> {
    let end: (error: unknown) => void = () => {};
    const ended = new Promise<never>((_, reject) => {
      end = reject;
    });
    ended.catch(() => {});
    await this.#send({ type: "turn", session: this.#session.id, turn: this.#session.turn, input });
    return Promise.race([this.#frames(end), ended]);
  }

  async #frames(end: (error: unknown) => void): Promise<Json | undefined> {
    const decoder = new FrameDecoder();
    const reader = this.#child.stdout.getReader();
    for (let chunk = await this.#read(reader); chunk !== undefined; chunk = await this.#read(reader)) {
      for (const frame of this.#decode(decoder, chunk)) {
        if (frame.type === "done") {
          if (frame.error !== undefined) throw thrown(frame.error);
          return frame.output;
        }
        if (frame.type === "delta") this.#session.delta(frame.step, frame.body);
        if (frame.type === "executed") this.#executed(frame);
        if (frame.type === "call") void this.#call(frame, end);
      }
    }
    const { code, signal, reason } = await this.#child.exit;
    const how = signal === undefined ? `with code ${code ?? "unknown"}` : `by ${signal}`;
    throw failed(`ended ${how} in the middle of its turn${reason === undefined ? "" : ` (${reason})`}`, this.lastWords);
  }

  async #read(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array | undefined> {
    try {
      return (await reader.read()).value;
    } catch {
      return undefined;
    }
  }

  *#decode(decoder: FrameDecoder, chunk: Uint8Array): Generator<FromChild> {
    try {
      for (const frame of decoder.push(chunk)) yield frame as FromChild;
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      throw failed(`wrote something that is no frame to its output (${error.message})`, this.lastWords);
    }
  }

  #executed({ id, value, error }: Extract<FromChild, { readonly type: "executed" }>): void {
    const waiting = this.#executing.get(id);
    this.#executing.delete(id);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(thrown(error));
  }

  /** What ends the run (a wait without a process, a lost claim, an interrupt) goes up; the rest is the child's to handle. */
  async #call({ id, method, args }: Extract<FromChild, { readonly type: "call" }>, end: (error: unknown) => void) {
    try {
      if (!hostedMethods.includes(method)) throw new RuntimeError("RUNTIME_INVALID", `There is no ${String(method)}.`);
      const value = await this.#invoke(id, method, args);
      await this.#send({ type: "answer", id, ...(value === undefined ? {} : { value }) });
    } catch (error) {
      const name = error instanceof Error ? error.name : "";
      if (name === "Suspension" || name === "Interruption" || wireError(error).code === "RUNTIME_FENCED")
        return end(error);
      await this.#send({ type: "answer", id, error: wireError(error) }).catch(() => {});
    }
  }

  async #invoke(id: number, method: (typeof hostedMethods)[number], args: readonly Json[]): Promise<Json | undefined> {
    const session = this.#session;
    const [first = null, second = null] = args;
    const name = String(first);
    switch (method) {
      case "step":
        return session.step(name, (call) => this.#execute(id, call), (second ?? {}) as StepOptions);
      case "sleep":
        return session.sleep(name, Number(second)).then(() => undefined);
      case "waitFor":
        return session.waitFor(name, (second ?? {}) as { readonly timeoutMs?: number });
      case "ask":
        return session.ask(name, second as unknown as ApprovalRequest).then((answer) => ({ ...answer }));
      case "emit":
        return session.emit(name, second).then(() => undefined);
      case "meter":
        return session.meter(first as unknown as Usage).then(() => undefined);
    }
  }

  #execute(id: number, { idempotencyKey, attempt }: { readonly idempotencyKey: string; readonly attempt: number }) {
    return new Promise<Json | undefined>((resolve, reject) => {
      this.#executing.set(id, { resolve, reject });
      void this.#child.exit.then(() => reject(failed("ended in the middle of a step", this.lastWords)));
      this.#send({ type: "execute", id, idempotencyKey, attempt }).catch(reject);
    });
  }

  async #send(frame: ToChild): Promise<void> {
    await this.#writer.write(encodeFrame(frame));
  }

  async #listen(): Promise<void> {
    const reader = this.#child.stderr.getReader();
    const decoder = new TextDecoder();
    for (let chunk = await this.#read(reader); chunk !== undefined; chunk = await this.#read(reader)) {
      this.lastWords = (this.lastWords + decoder.decode(chunk, { stream: true })).slice(-LAST_WORDS);
    }
  }
}

function failed(what: string, lastWords: string): RuntimeError {
  const said = lastWords.trim();
  return new RuntimeError(
    "RUNTIME_HOST_FAILED",
    `The program ${what}.${said === "" ? "" : ` Its last words: ${said}`}`,
  );
}
