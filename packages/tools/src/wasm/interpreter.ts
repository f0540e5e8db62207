import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { Clock } from "../dialect.ts";
import type { ExecutionStatus, OutputPiece } from "../execution.ts";
import type { EngineResult, FileValue } from "./engine.ts";
import {
  CALL_SLOT,
  type FilesAnswer,
  type FilesCall,
  type FromWorker,
  INTERRUPT_SLOT,
  type ToWorker,
  type WorkerStart,
} from "./protocol.ts";

export interface InterpreterOptions {
  readonly memoryMiB: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** Answers the program's file calls; throws what it shall see. */
  files(call: FilesCall, context: string): FileValue;
}

export interface RunRequest {
  readonly context: string;
  readonly code: string;
  readonly timeoutMs: number;
  readonly outputBytes: number;
  readonly onOutput: (piece: OutputPiece) => void;
}

export interface RunOutcome {
  readonly status: ExecutionStatus;
  readonly result?: EngineResult;
  readonly truncated: boolean;
  readonly stateLost: boolean;
}

interface Running {
  readonly request: RunRequest;
  truncated: boolean;
  ending?: "interrupted" | "timeout";
  settle(outcome: RunOutcome): void;
}

/** How long an interrupted program may take to end before its thread is taken away. */
const GRACE_MS = 1_000;

/**
 * QuickJS on a thread of its own, so that a program that spins holds up nobody else. A thread that does not heed an
 * interrupt is terminated and the next run gets a fresh one. Runs take turns.
 */
export class Interpreter {
  readonly #options: InterpreterOptions;
  readonly #flags = new Int32Array(new SharedArrayBuffer(8));
  #worker: Worker | undefined;
  #running: Running | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: InterpreterOptions) {
    this.#options = options;
  }

  run(request: RunRequest): Promise<RunOutcome> {
    const outcome = this.#turn.then(() => this.#run(request));
    this.#turn = outcome;
    return outcome;
  }

  /** Drops a context's variables, once the run under way has ended. */
  clear(context: string): Promise<void> {
    const cleared = this.#turn.then(() => this.#worker?.postMessage({ type: "clear", context } satisfies ToWorker));
    this.#turn = cleared;
    return cleared;
  }

  interrupt(context?: string): void {
    const running = this.#running;
    if (running === undefined || (context !== undefined && running.request.context !== context)) return;
    this.#end(running, "interrupted");
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#drop();
    await this.#turn;
  }

  async #run(request: RunRequest): Promise<RunOutcome> {
    if (this.#closed) return { status: "died", truncated: false, stateLost: true };
    const deadline = new AbortController();
    const outcome = new Promise<RunOutcome>((resolve) => {
      const running: Running = { request, truncated: false, settle: resolve };
      this.#running = running;
      Atomics.store(this.#flags, INTERRUPT_SLOT, 0);
      const { context, code, outputBytes } = request;
      this.#worker ??= this.#start();
      this.#worker.postMessage({ type: "run", context, code, outputBytes } satisfies ToWorker);
      this.#options.clock.sleep(request.timeoutMs, { signal: deadline.signal }).then(
        () => this.#end(running, "timeout"),
        () => {},
      );
    });
    try {
      return await outcome;
    } finally {
      this.#running = undefined;
      deadline.abort();
    }
  }

  #end(running: Running, how: "interrupted" | "timeout"): void {
    if (running.ending !== undefined || this.#running !== running) return;
    running.ending = how;
    Atomics.store(this.#flags, INTERRUPT_SLOT, 1);
    Atomics.notify(this.#flags, INTERRUPT_SLOT);
    setTimeout(() => {
      if (this.#running === running) void this.#drop();
    }, GRACE_MS).unref();
  }

  #start(): Worker {
    const { port1, port2 } = new MessageChannel();
    const start: WorkerStart = {
      memoryMiB: this.#options.memoryMiB,
      environment: this.#options.environment,
      signals: this.#flags.buffer as SharedArrayBuffer,
      files: port2,
    };
    const source = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url);
    const worker = new Worker(source, {
      workerData: start,
      transferList: [port2],
      env: {},
      execArgv: ["--disable-warning=ExperimentalWarning"],
      stdin: false,
      resourceLimits: { maxOldGenerationSizeMb: this.#options.memoryMiB + 64, stackSizeMb: 16 },
    });
    this.#serve(port1);
    worker.unref();
    worker.on("message", (message: FromWorker) => this.#receive(message));
    worker.on("error", () => this.#died(worker));
    worker.on("exit", () => {
      port1.close();
      this.#died(worker);
    });
    return worker;
  }

  #serve(port: MessagePort): void {
    port.on("message", (call: FilesCall) => {
      port.postMessage(this.#answer(call));
      Atomics.store(this.#flags, CALL_SLOT, 1);
      Atomics.notify(this.#flags, CALL_SLOT);
    });
    port.unref();
  }

  #answer(call: FilesCall): FilesAnswer {
    try {
      return { value: this.#options.files(call, this.#running?.request.context ?? "") };
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) };
    }
  }

  #receive(message: FromWorker): void {
    const running = this.#running;
    if (running === undefined) return;
    if (message.type === "output") {
      running.request.onOutput(message);
    } else if (message.type === "truncated") {
      running.truncated = true;
    } else {
      const status = running.ending ?? (message.result.ok ? "ok" : "error");
      running.settle({ status, result: message.result, truncated: running.truncated, stateLost: false });
    }
  }

  #died(worker: Worker): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const running = this.#running;
    running?.settle({ status: running.ending ?? "died", truncated: running.truncated, stateLost: true });
  }

  async #drop(): Promise<void> {
    await this.#worker?.terminate();
  }
}
