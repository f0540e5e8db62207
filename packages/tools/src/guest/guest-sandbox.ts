import type { Server } from "node:net";
import { basename } from "node:path";
import type { Capabilities } from "../capabilities.ts";
import type { CommandResult, ExecOptions, SandboxProcess, SpawnOptions } from "../command.ts";
import type { CallContext, Clock } from "../dialect.ts";
import type { EgressLink } from "../egress.ts";
import { ToolsError } from "../errors.ts";
import type { Execution, ExecutionContext, Language, RunOptions } from "../execution.ts";
import { inSpan } from "../internal/spans.ts";
import type { NetworkMode, NetworkPolicy } from "../network-policy.ts";
import { parseNetworkPolicy } from "../parse-sandbox-spec.ts";
import type { Endpoint, Sandbox } from "../sandbox.ts";
import type { SandboxFiles } from "../sandbox-files.ts";
import type { SandboxSpec } from "../sandbox-spec.ts";
import type { Workspaces } from "../workspaces.ts";
import { GuestChannel } from "./channel.ts";
import { cancelled, deadline } from "./deadline.ts";
import { executeCode, executeCommand, settings } from "./execute.ts";
import { exposePort } from "./expose.ts";
import { guestFiles } from "./guest-files.ts";
import { startProcess } from "./guest-process.ts";
import { guestProgram, guestSource, kernels, type Launch } from "./launch.ts";

const FORWARD_PORT = 3128;
/** For the guest to answer at all; what comes after has limits of its own. */
const START_MS = 30_000;
const WIDTH: Readonly<Record<NetworkMode, number>> = { none: 0, allow: 1, packages: 1, open: 2 };

export interface GuestSandboxDeps {
  readonly id: string;
  readonly context: CallContext;
  readonly spec: SandboxSpec;
  readonly capabilities: Capabilities;
  readonly launch: Launch;
  readonly clock: Clock;
  /** Absolute path inside, where JavaScript is offered. */
  readonly node?: string | undefined;
  readonly workspaces?: Workspaces | undefined;
  /** From `compile` of a sandbox with the same interpreter in which nothing but our own code ran. */
  readonly compiled?: Buffer | undefined;
  /** For the guest to take on itself and all that it starts, where the boundary has none of its own. */
  readonly filter?: Buffer | undefined;
  readonly egress?:
    | {
        readonly link: EgressLink;
        readonly socketInside: string;
        /** Beside those of the link. */
        readonly variables: Readonly<Record<string, string>>;
      }
    | undefined;
}

/** A sandbox that a guest program serves: the same behind every boundary that can pass stdin and stdout. */
export class GuestSandbox implements Sandbox {
  readonly id: string;
  readonly capabilities: Capabilities;
  readonly workspace: string;
  readonly files: SandboxFiles;
  readonly ports: Sandbox["ports"];
  readonly closed: Promise<{ readonly reason: string }>;
  readonly #deps: GuestSandboxDeps;
  readonly #channel: GuestChannel;
  readonly #contexts = new Map<string, Language>();
  readonly #queues = new Map<string, Promise<unknown>>();
  readonly #servers = new Set<Server>();
  #policy: NetworkPolicy;
  #processes = 0;
  #dead: ToolsError | undefined;
  #closing: Promise<void> | undefined;

  private constructor(deps: GuestSandboxDeps) {
    this.#deps = deps;
    this.id = deps.id;
    this.capabilities = deps.capabilities;
    this.workspace = deps.launch.workspace ?? "/workspace";
    this.#policy = deps.spec.network ?? { mode: "none" };
    this.#channel = new GuestChannel(deps.launch.stdin, deps.launch.stdout, (error) => {
      this.#dead = error;
      deps.launch.kill();
    });
    this.files = guestFiles(() => this.#open());
    this.ports = { expose: (port): Promise<Endpoint> => exposePort(this.#open(), port, this.#servers) };
    this.closed = deps.launch.exited.then(async ({ reason }) => {
      this.#dead ??= new ToolsError("TOOLS_SANDBOX_DIED", `Sandbox ${deps.id} has ended (${reason}): create another.`);
      this.#channel.close(this.#dead);
      for (const server of this.#servers) server.close();
      await deps.egress?.link.close().catch(() => {});
      await deps.launch.release().catch(({ message }: Error) => {
        const text = `Sandbox ${deps.id} left something on the host: ${message.slice(0, 200)}`;
        process.emitWarning(text, { code: "ASHLAR_SANDBOX_LEFTOVER" });
      });
      return { reason: this.#closing === undefined ? reason : "closed" };
    });
  }

  static start(deps: GuestSandboxDeps): Promise<GuestSandbox> {
    const { backend, grade } = deps.capabilities;
    const attributes = {
      "ashlar.sandbox.id": deps.id,
      "ashlar.sandbox.backend": backend,
      "ashlar.sandbox.grade": grade,
    };
    return inSpan("sandbox.create", attributes, () => GuestSandbox.#start(deps));
  }

  static async #start(deps: GuestSandboxDeps): Promise<GuestSandbox> {
    const sandbox = new GuestSandbox(deps);
    const answered = deadline(deps.clock, START_MS, deps.context.signal, (aborted) => {
      const { backend } = deps.capabilities;
      sandbox.#dead ??=
        aborted && deps.context.signal !== undefined
          ? cancelled(deps.context.signal)
          : new ToolsError("TOOLS_BACKEND_FAILED", `${backend} started no guest in ${START_MS} ms: see what holds it.`);
      sandbox.#channel.close(sandbox.#dead);
      deps.launch.kill();
    });
    try {
      deps.launch.stdin.write(guestProgram(deps.compiled));
      await sandbox.#channel.call("init", {
        workspace: sandbox.workspace,
        roots: deps.launch.roots ?? ["/workspace", "/tmp"],
        environment: {
          ...deps.egress?.link.environment(FORWARD_PORT),
          ...deps.egress?.variables,
          ...deps.spec.environment,
        },
        kernels: kernels(deps.node),
        preload: deps.spec.preload ?? [],
        filter: deps.filter?.toString("hex") ?? "",
        ...(deps.egress === undefined ? {} : { forward: { port: FORWARD_PORT, socket: deps.egress.socketInside } }),
      }).result;
      answered();
      if (deps.spec.workspace !== undefined) await sandbox.#restore(deps.spec.workspace);
      return sandbox;
    } catch (error) {
      deps.launch.kill();
      await sandbox.closed;
      throw error;
    } finally {
      answered();
      const { lifetimeMs } = deps.spec.limits ?? {};
      if (lifetimeMs !== undefined) {
        const ended = new AbortController();
        void sandbox.closed.then(() => ended.abort());
        deps.clock.sleep(lifetimeMs, { signal: ended.signal }).then(
          () => sandbox.#end(`lived longer than ${lifetimeMs} ms`),
          () => {},
        );
      }
    }
  }

  /** The guest's program compiled, so that the next guest starts sooner. */
  async compile(): Promise<Buffer> {
    const { code } = await this.#open().call("compile", { source: guestSource() }).result;
    return Buffer.from(String(code), "base64");
  }

  async run(code: string, options: RunOptions = {}): Promise<Execution> {
    this.#open();
    const language = this.#language(options);
    const context = options.context ?? `default:${language}`;
    const before = this.#queues.get(context) ?? Promise.resolve();
    const execution = before.then(() => this.#execute(context, language, code, options));
    this.#queues.set(
      context,
      execution.catch(() => {}),
    );
    return await execution;
  }

  async createContext({
    language,
    cwd,
  }: {
    readonly language: Language;
    readonly cwd?: string;
  }): Promise<ExecutionContext> {
    const channel = this.#open();
    this.#offered(language);
    const id = `${language}-${this.#contexts.size + 1}`;
    await channel.call("context.open", { context: id, language, ...(cwd === undefined ? {} : { cwd }) }).result;
    this.#contexts.set(id, language);
    return { id, language };
  }

  async clearContext(context: string | { readonly language: Language }): Promise<void> {
    const id = typeof context === "string" ? context : `default:${context.language}`;
    if (typeof context === "string") this.#language({ context });
    await this.#open().call("context.close", { context: id }).result;
  }

  async exec(command: readonly string[], options: ExecOptions = {}): Promise<CommandResult> {
    const executor = { channel: this.#open(), clock: this.#deps.clock, limits: this.#deps.spec.limits };
    const attributes = { "ashlar.sandbox.id": this.id, "process.executable.name": basename(command[0] ?? "") };
    return await inSpan("sandbox.exec", attributes, async (span) => {
      const result = await executeCommand(executor, command, options);
      if (result.exitCode !== undefined) span.setAttribute("process.exit.code", result.exitCode);
      return result;
    });
  }

  async spawn(command: readonly string[], options: SpawnOptions = {}): Promise<SandboxProcess> {
    const args = { command, ...settings(options), ...(options.pty === undefined ? {} : { pty: options.pty }) };
    this.#processes += 1;
    return await startProcess(this.#open(), `${this.id}.${this.#processes}`, args, options.signal);
  }

  async setNetwork(given: NetworkPolicy): Promise<void> {
    this.#open();
    const policy = parseNetworkPolicy(given);
    if (
      !this.#deps.spec.networkMutable &&
      (WIDTH[policy.mode] > WIDTH[this.#policy.mode] ||
        (policy.mode !== "none" && WIDTH[policy.mode] === WIDTH[this.#policy.mode]))
    ) {
      throw new ToolsError(
        "TOOLS_NETWORK_REFUSED",
        "This sandbox's network may only be tightened: create it with networkMutable to widen it.",
      );
    }
    if (this.#deps.egress === undefined) {
      if (policy.mode === "none") return;
      throw new ToolsError(
        "TOOLS_UNSUPPORTED",
        "This sandbox was created without a way out: create one with a network policy.",
      );
    }
    await this.#deps.egress.link.setPolicy(policy);
    this.#policy = policy;
  }

  async interrupt(context?: string): Promise<void> {
    await this.#open().call("interrupt", context === undefined ? {} : { context }).result;
  }

  close(): Promise<void> {
    return this.#end("is closed");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #end(how: string): Promise<void> {
    this.#closing ??= this.#close(how);
    return this.#closing;
  }

  async #close(how: string): Promise<void> {
    const alive = this.#dead === undefined;
    try {
      const { workspace } = this.#deps.spec;
      const { workspaces, context } = this.#deps;
      if (alive && workspace !== undefined && workspaces !== undefined) {
        await workspaces.save(context, workspace, await this.files.pack());
      }
    } finally {
      this.#dead ??= new ToolsError("TOOLS_CLOSED", `Sandbox ${this.id} ${how}: create another.`);
      this.#channel.close(this.#dead);
      this.#deps.launch.kill();
      await this.closed;
    }
  }

  async #restore(workspace: string): Promise<void> {
    const { workspaces, context } = this.#deps;
    if (workspaces === undefined) {
      throw new ToolsError("TOOLS_INVALID", "A workspace was named, but the backend was given no Workspaces port.");
    }
    const archive = await workspaces.restore(context, workspace);
    if (archive !== undefined) await this.files.unpack(archive);
  }

  #open(): GuestChannel {
    if (this.#dead !== undefined) throw this.#dead;
    return this.#channel;
  }

  #language({ language, context }: RunOptions): Language {
    if (context !== undefined && !context.startsWith("default:")) {
      const known = this.#contexts.get(context);
      if (known === undefined)
        throw new ToolsError("TOOLS_UNKNOWN_CONTEXT", `There is no context ${context}: createContext gives one.`);
      return known;
    }
    const wanted =
      language ??
      (context?.slice("default:".length) as Language | undefined) ??
      this.capabilities.languages[0] ??
      "python";
    this.#offered(wanted);
    return wanted;
  }

  #offered(language: Language): void {
    if (this.capabilities.languages.includes(language)) return;
    throw new ToolsError(
      "TOOLS_LANGUAGE_MISSING",
      `This sandbox has ${this.capabilities.languages.join(", ")}, not ${language}.`,
    );
  }

  async #execute(context: string, language: Language, code: string, options: RunOptions): Promise<Execution> {
    const channel = this.#open();
    const executor = { channel, clock: this.#deps.clock, limits: this.#deps.spec.limits };
    const attributes = { "ashlar.sandbox.id": this.id, "ashlar.sandbox.language": language };
    return await inSpan("sandbox.run", attributes, async (span) => {
      const execution = await executeCode(executor, { context, language, code }, options);
      span.setAttribute("ashlar.sandbox.status", execution.status);
      return execution;
    });
  }
}
