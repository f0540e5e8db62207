import type { ChildProcess } from "node:child_process";
import { type WorkerConfig, workersOf } from "./config.ts";
import { UsageError } from "./options.ts";
import { exited, jsonLines, startScript, stop } from "./processes.ts";

/** What a worker says when it is up. */
export interface Up {
  readonly url: string;
  readonly backend: string;
  readonly grade: string;
  readonly missing: readonly { readonly name: string; readonly reason: string }[];
  readonly reached: boolean;
}

interface Running extends Up {
  readonly gone: Promise<unknown>;
}

interface Worker {
  readonly name: string;
  readonly process: ChildProcess;
  /** Of a worker that is killed before it is up: the next one's. */
  readonly up: Promise<Running>;
}

/** The runtime's processes: one that is killed is replaced, and meanwhile another goes on with its session. */
export class Fleet {
  /** Who took the session up, in order: each worker says so itself. */
  readonly ran: string[] = [];
  /** Who was killed, in order. */
  readonly killed: string[] = [];
  readonly #config: WorkerConfig;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #onKilled: (name: string) => void;
  #workers: Worker[] = [];
  #started = 0;
  #stopping = false;

  constructor(config: WorkerConfig, environment: NodeJS.ProcessEnv, onKilled: (name: string) => void) {
    this.#config = config;
    this.#environment = environment;
    this.#onKilled = onKilled;
  }

  /** A worker that is up; the first call starts them all and waits for all. */
  async front(): Promise<Running> {
    while (this.#started < workersOf(this.#config)) this.#start();
    if (this.#started === this.#workers.length) await Promise.all(this.#workers.map(({ up }) => up));
    return Promise.any(this.#workers.map(({ up }) => up));
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#workers.map(({ process }) => stop(process)));
  }

  #start(): Worker {
    this.#started += 1;
    const name = `worker ${this.#started}`;
    const port = this.#workers.length === 0 ? this.#config.port : 0;
    const config: WorkerConfig = { ...this.#config, port, worker: name };
    const process = startScript("worker.ts", { ...this.#environment, ASHLAR_WORKER: JSON.stringify(config) });
    const { promise: up, resolve, reject } = Promise.withResolvers<Running>();
    up.catch(() => {});
    const worker = { name, process, up };
    this.#workers.push(worker);
    void this.#listen(process, resolve);
    void exited(process).then(({ signal }) => {
      const next = this.#successor(worker, signal);
      if (next === undefined) reject(new UsageError("The runtime could not start; the reason stands above."));
      else resolve(next.up);
    });
    return worker;
  }

  async #listen(process: ChildProcess, resolve: (up: Running) => void): Promise<void> {
    for await (const line of jsonLines(process)) {
      if (typeof line.running === "string") this.ran.push(line.running);
      else resolve({ ...(line as unknown as Up), gone: exited(process) });
    }
  }

  #successor(worker: Worker, signal: NodeJS.Signals | null): Worker | undefined {
    if (this.#stopping || signal !== "SIGKILL") return undefined;
    this.killed.push(worker.name);
    this.#workers = this.#workers.filter((each) => each !== worker);
    this.#onKilled(worker.name);
    return this.#start();
  }
}
