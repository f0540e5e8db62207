import type { Capabilities } from "../capabilities.ts";
import type { CommandResult, SandboxProcess } from "../command.ts";
import type { CallContext, Clock, IdSource } from "../dialect.ts";
import { ToolsError } from "../errors.ts";
import type { Execution, ExecutionContext, Language, OutputPiece, RunOptions } from "../execution.ts";
import { inSpan } from "../internal/spans.ts";
import type { NetworkPolicy } from "../network-policy.ts";
import type { Endpoint, Sandbox } from "../sandbox.ts";
import type { SandboxFiles } from "../sandbox-files.ts";
import type { SandboxLimits } from "../sandbox-spec.ts";
import type { Workspaces } from "../workspaces.ts";
import type { FileOperation, FileValue } from "./engine.ts";
import { Interpreter, type RunOutcome } from "./interpreter.ts";
import { MemoryFiles, WORKSPACE } from "./memory-files.ts";
import type { FilesCall } from "./protocol.ts";
import { WasmFiles } from "./wasm-files.ts";

export interface WasmSandboxOptions {
  readonly id: string;
  readonly context: CallContext;
  readonly capabilities: Capabilities;
  readonly limits: Required<Omit<SandboxLimits, "lifetimeMs">> & Pick<SandboxLimits, "lifetimeMs">;
  readonly environment: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly workspace?: { readonly name: string; readonly store: Workspaces };
}

const DEFAULT_CONTEXT = "javascript";
/** Patterns of `glob` and `grep` run in a context that programs cannot name. */
const SEARCH_CONTEXT = " search";
const MAX_CONTEXTS = 16;
const MAX_ENTRIES = 100_000;

/** JavaScript without a machine: QuickJS in a capped WebAssembly memory, with files that exist only there. */
export class WasmSandbox implements Sandbox {
  readonly id: string;
  readonly capabilities: Capabilities;
  readonly workspace: string = WORKSPACE;
  readonly files: SandboxFiles;
  readonly ports: { expose(port: number): Promise<Endpoint> };
  readonly closed: Promise<{ readonly reason: string }>;
  readonly #options: WasmSandboxOptions;
  readonly #tree: MemoryFiles;
  readonly #files: WasmFiles;
  readonly #interpreter: Interpreter;
  /** Context id to the folder where its relative paths start. */
  readonly #contexts = new Map<string, string>([
    [DEFAULT_CONTEXT, WORKSPACE],
    [SEARCH_CONTEXT, WORKSPACE],
  ]);
  readonly #life = new AbortController();
  #ended: (end: { readonly reason: string }) => void = () => {};
  #closing: Promise<void> | undefined;

  constructor(options: WasmSandboxOptions) {
    const { id, capabilities, clock, environment, limits } = options;
    this.#options = options;
    this.id = id;
    this.capabilities = capabilities;
    this.#tree = new MemoryFiles({
      maxBytes: limits.diskMiB * 1024 * 1024,
      maxEntries: MAX_ENTRIES,
      now: () => clock.now(),
    });
    this.#interpreter = new Interpreter({
      memoryMiB: limits.memoryMiB,
      environment,
      clock,
      files: (call, context) => this.#serve(call, context),
    });
    this.#files = new WasmFiles({ tree: this.#tree, evaluate: (program) => this.#search(program) });
    this.files = whileOpen(this.#files, () => this.#open());
    this.ports = { expose: async () => this.#refuse("Reaching servers inside") };
    this.closed = new Promise((resolve) => {
      this.#ended = resolve;
    });
    if (limits.lifetimeMs !== undefined) {
      clock.sleep(limits.lifetimeMs, { signal: this.#life.signal }).then(
        () => this.#end("lifetime over"),
        () => {},
      );
    }
  }

  /** Brings the saved workspace back; called once, before the sandbox is handed out. */
  async restore(): Promise<void> {
    const { workspace, context } = this.#options;
    const archive = await workspace?.store.restore(context, workspace.name);
    if (archive !== undefined) await this.#files.unpack(archive);
  }

  run(code: string, options: RunOptions = {}): Promise<Execution> {
    const language = options.language ?? "javascript";
    const attributes = { "ashlar.sandbox.id": this.id, "ashlar.sandbox.language": language };
    return inSpan("sandbox.run", attributes, async (span) => {
      const execution = await this.#run(code, options);
      span.setAttribute("ashlar.sandbox.status", execution.status);
      return execution;
    });
  }

  async #run(code: string, options: RunOptions): Promise<Execution> {
    this.#open();
    const { limits, clock } = this.#options;
    const context = options.context ?? DEFAULT_CONTEXT;
    this.#language(options.language ?? "javascript");
    if (!this.#contexts.has(context) || context === SEARCH_CONTEXT) {
      throw new ToolsError("TOOLS_UNKNOWN_CONTEXT", `There is no context ${context} in this sandbox.`);
    }
    options.signal?.throwIfAborted();
    const output = { stdout: "", stderr: "" };
    const onOutput = (piece: OutputPiece) => {
      output[piece.stream] += piece.text;
      options.onOutput?.(piece);
    };
    const startedAt = clock.now();
    const aborted = () => this.#interpreter.interrupt(context);
    options.signal?.addEventListener("abort", aborted, { once: true });
    try {
      const outcome = await this.#interpreter.run({
        context,
        code,
        timeoutMs: options.timeoutMs ?? limits.wallTimeMs,
        outputBytes: limits.outputBytes,
        onOutput,
      });
      if (options.signal?.aborted) throw new ToolsError("TOOLS_CANCELLED", "The run was cancelled.");
      return { ...execution(outcome, limits.outputBytes), ...output, context, durationMs: clock.now() - startedAt };
    } finally {
      options.signal?.removeEventListener("abort", aborted);
    }
  }

  async createContext({
    language,
    cwd = WORKSPACE,
  }: {
    readonly language: Language;
    readonly cwd?: string;
  }): Promise<ExecutionContext> {
    this.#open();
    this.#language(language);
    if (this.#contexts.size >= MAX_CONTEXTS) {
      throw new ToolsError("TOOLS_INVALID", `This sandbox has its limit of ${MAX_CONTEXTS} contexts.`);
    }
    const id = this.#options.ids.next("ctx");
    this.#contexts.set(id, this.#tree.resolve(cwd));
    return { id, language };
  }

  async clearContext(context: string | { readonly language: Language }): Promise<void> {
    this.#open();
    if (typeof context !== "string") this.#language(context.language);
    const id = typeof context === "string" ? context : DEFAULT_CONTEXT;
    if (!this.#contexts.has(id)) {
      throw new ToolsError("TOOLS_UNKNOWN_CONTEXT", `There is no context ${id} in this sandbox.`);
    }
    await this.#interpreter.clear(id);
  }

  async exec(): Promise<CommandResult> {
    return this.#refuse("Running commands");
  }

  async spawn(): Promise<SandboxProcess> {
    return this.#refuse("Running commands");
  }

  async setNetwork(policy: NetworkPolicy): Promise<void> {
    this.#open();
    if (policy.mode === "none") return;
    throw new ToolsError("TOOLS_NETWORK_REFUSED", "The wasm backend has no network: its only policy is `none`.");
  }

  async interrupt(context?: string): Promise<void> {
    this.#open();
    this.#interpreter.interrupt(context);
  }

  async close(): Promise<void> {
    await this.#end("closed");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #end(reason: string): Promise<void> {
    this.#closing ??= this.#shut(reason);
    return this.#closing;
  }

  async #shut(reason: string): Promise<void> {
    this.#life.abort();
    const { workspace, context } = this.#options;
    await this.#interpreter.close();
    try {
      await workspace?.store.save(context, workspace.name, await this.#files.pack());
    } finally {
      this.#ended({ reason });
    }
  }

  #open(): void {
    if (this.#closing !== undefined) throw new ToolsError("TOOLS_CLOSED", `Sandbox ${this.id} is closed.`);
  }

  #language(language: Language): void {
    if (language === "javascript") return;
    throw new ToolsError(
      "TOOLS_LANGUAGE_MISSING",
      `The wasm backend runs JavaScript only, not ${language}: ask for bubblewrap, gvisor or container.`,
    );
  }

  #refuse(what: string): never {
    this.#open();
    throw new ToolsError("TOOLS_UNSUPPORTED", `${what} is not offered by the wasm backend: it has no processes.`);
  }

  async #search(program: string): Promise<unknown> {
    const { limits } = this.#options;
    const { status, result } = await this.#interpreter.run({
      context: SEARCH_CONTEXT,
      code: program,
      timeoutMs: limits.wallTimeMs,
      outputBytes: 0,
      onOutput: () => {},
    });
    if (result?.ok && result.json !== undefined) return JSON.parse(result.json);
    const reason = result?.ok === false ? result.message : status;
    throw new ToolsError("TOOLS_INVALID", `The search did not end well: ${reason}.`);
  }

  #serve({ operation, path, argument }: FilesCall, context: string): FileValue {
    const base = this.#contexts.get(context) ?? WORKSPACE;
    return serveFile(this.#tree, base, operation, path, argument);
  }
}

function serveFile(
  tree: MemoryFiles,
  base: string,
  operation: FileOperation,
  path: string,
  argument: Uint8Array | string | undefined,
): FileValue {
  const absolute = tree.resolve(path, base);
  switch (operation) {
    case "readFile":
      return tree.read(absolute);
    case "writeFile":
      tree.write(absolute, typeof argument === "string" ? Buffer.from(argument) : (argument ?? new Uint8Array()));
      return undefined;
    case "exists":
      return tree.entry(absolute) !== undefined;
    case "readDirectory":
      return JSON.stringify(tree.below(absolute).map((each) => each.slice(each.lastIndexOf("/") + 1)));
    case "makeDirectory":
      tree.makeFolder(absolute);
      return undefined;
    case "remove":
      tree.remove(absolute, true);
      return undefined;
    case "move":
      tree.move(absolute, tree.resolve(String(argument), base));
      return undefined;
  }
}

function execution(
  { status, result, truncated, stateLost }: RunOutcome,
  maxBytes: number,
): Pick<Execution, "status" | "results" | "truncated" | "stateLost" | "error"> {
  if (result === undefined || !result.ok) {
    const error =
      result === undefined
        ? { name: status, message: explanations[status] ?? status, traceback: "" }
        : {
            name: result.name,
            message: result.message,
            traceback: `${result.name}: ${result.message}\n${result.stack}`.trimEnd(),
          };
    return { status, results: [], truncated, stateLost, error };
  }
  const forms = { "text/plain": result.text, "application/json": result.json };
  const kept = Object.entries(forms).filter((form): form is [string, string] => form[1] !== undefined);
  const data = Object.fromEntries(kept.filter(([, text]) => Buffer.byteLength(text) <= maxBytes));
  const cut = Object.keys(data).length < kept.length;
  const results = Object.keys(data).length === 0 ? [] : [{ kind: "value" as const, data }];
  return { status, results, truncated: truncated || cut, stateLost };
}

const explanations: Readonly<Record<string, string>> = {
  timeout: "The program did not heed the end of its time and was taken off with all its variables.",
  interrupted: "The program did not heed the interrupt and was taken off with all its variables.",
  died: "The interpreter ended under the program; its variables are lost.",
};

/** The same object, each of whose methods first asks whether the sandbox is open. */
function whileOpen<T extends object>(target: T, open: () => void): T {
  return new Proxy(target, {
    get(object, name) {
      const member: unknown = Reflect.get(object, name, object);
      if (typeof member !== "function") return member;
      return async (...args: unknown[]) => {
        open();
        return member.apply(object, args);
      };
    },
  });
}
