import type { CallContext } from "../dialect.ts";
import type { HostedProcess, HostedProgram, IsolationGrade, SessionHost } from "../session-host.ts";

export interface WarmPoolDeps {
  readonly host: SessionHost;
  /** The program that is kept ready. It must wait for its first input and know nothing of whose it will be. */
  readonly program: HostedProgram;
  readonly size: number;
  /** On whose behalf the waiting children are started. */
  readonly context: CallContext;
}

/**
 * Starts children before they are asked for, over any host. Each is handed out once and never comes back; one that died
 * while it waited is left out. A program other than the pooled one is started by the host as it is.
 */
export class WarmPool implements SessionHost, AsyncDisposable {
  readonly grade: IsolationGrade;
  readonly #deps: WarmPoolDeps;
  readonly #key: string;
  #ready: { readonly started: Promise<HostedProcess>; gone: boolean }[] = [];
  #closed = false;
  #resting = false;

  constructor(deps: WarmPoolDeps) {
    this.grade = deps.host.grade;
    this.#deps = deps;
    this.#key = JSON.stringify(deps.program);
    this.#fill();
  }

  /** Resolves when every child that is due has started. */
  async warm(): Promise<void> {
    await Promise.allSettled(this.#ready.map(({ started }) => started));
  }

  /** Starts no more children until `resume`: what is ready stays ready. */
  rest(): void {
    this.#resting = true;
  }

  resume(): void {
    this.#resting = false;
    this.#fill();
  }

  async start(context: CallContext, program: HostedProgram): Promise<HostedProcess> {
    if (JSON.stringify(program) !== this.#key) return this.#deps.host.start(context, program);
    for (let child = this.#ready.shift(); child !== undefined; child = this.#ready.shift()) {
      const hosted = await child.started.catch(() => undefined);
      if (hosted === undefined || child.gone) continue;
      this.#fill();
      context.signal?.addEventListener("abort", () => void hosted.kill(), { once: true });
      return hosted;
    }
    this.#fill();
    return this.#deps.host.start(context, program);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const waiting = this.#ready;
    this.#ready = [];
    await Promise.allSettled(waiting.map(async ({ started }) => (await started).kill()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #fill(): void {
    if (this.#closed || this.#resting) return;
    const { host, program, size, context } = this.#deps;
    while (this.#ready.length < size) {
      const started = host.start(context, program);
      const child = { started, gone: false };
      const gone = () => {
        child.gone = true;
      };
      started.then(({ exit }) => exit).then(gone, gone);
      this.#ready.push(child);
    }
  }
}
