import type { Capabilities } from "../capabilities.ts";
import type { CommandResult, ExecOptions, SandboxProcess, SpawnOptions } from "../command.ts";
import type { CallContext } from "../dialect.ts";
import type { Execution, ExecutionContext, Language, RunOptions } from "../execution.ts";
import type { NetworkPolicy } from "../network-policy.ts";
import type { Sandbox } from "../sandbox.ts";
import type { ProbeReport, SandboxBackend } from "../sandbox-backend.ts";
import type { SandboxFiles } from "../sandbox-files.ts";
import type { SandboxSpec } from "../sandbox-spec.ts";
import type { BrowserSession } from "./browser-session.ts";
import type { BrowserSpec } from "./browser-spec.ts";
import type { Browsers } from "./browsers.ts";

export interface BrowserSandboxesDeps {
  readonly browsers: Browsers;
  /** How each browser is opened; a function sees whom it is for. */
  readonly spec?: BrowserSpec | ((context: CallContext) => BrowserSpec);
}

/**
 * Sandboxes with a browser in each, for tools that share a session's files: what is downloaded can be read, what is
 * written can be uploaded. Code that runs in such a sandbox may look into the browser beside it: offer `bash` and its
 * kin there only to agents that may see all that the browser sees.
 */
export class BrowserSandboxes implements SandboxBackend {
  readonly name = "browser";
  readonly grade = "namespace";
  readonly #browsers: Browsers;
  readonly #spec: BrowserSandboxesDeps["spec"];

  constructor({ browsers, spec }: BrowserSandboxesDeps) {
    this.#browsers = browsers;
    this.#spec = spec;
  }

  async probe(): Promise<ProbeReport> {
    const { program } = typeof this.#spec === "function" ? {} : (this.#spec ?? {});
    const report = await this.#browsers.probe(program);
    return report.ok ? { ...report, capabilities: { ...report.capabilities, browser: true } } : report;
  }

  /** Of `spec`, limits, network and workspace go before those of the browser's own. */
  async create(context: CallContext, { limits, network, workspace }: SandboxSpec = {}): Promise<BrowserSandbox> {
    const spec = typeof this.#spec === "function" ? this.#spec(context) : (this.#spec ?? {});
    const session = await this.#browsers.open(context, {
      ...spec,
      ...(limits === undefined ? {} : { limits: { ...spec.limits, ...limits } }),
      ...(network === undefined ? {} : { network }),
      ...(workspace === undefined ? {} : { workspace }),
    });
    return new BrowserSandbox(session);
  }

  close(): Promise<void> {
    return this.#browsers.close();
  }
}

/** The sandbox of a browser; closing it closes the browser in good order. */
export class BrowserSandbox implements Sandbox {
  readonly browser: BrowserSession;
  readonly id: string;
  readonly capabilities: Capabilities;
  readonly workspace: string;
  readonly files: SandboxFiles;
  readonly ports: Sandbox["ports"];
  readonly closed: Promise<{ readonly reason: string }>;

  constructor(browser: BrowserSession) {
    const { id, capabilities, workspace, files, ports } = browser.sandbox;
    this.browser = browser;
    this.id = id;
    this.capabilities = { ...capabilities, browser: true };
    this.workspace = workspace;
    this.files = files;
    this.ports = ports;
    this.closed = browser.closed;
  }

  run(code: string, options?: RunOptions): Promise<Execution> {
    return this.browser.sandbox.run(code, options);
  }

  createContext(options: { readonly language: Language; readonly cwd?: string }): Promise<ExecutionContext> {
    return this.browser.sandbox.createContext(options);
  }

  clearContext(context: string | { readonly language: Language }): Promise<void> {
    return this.browser.sandbox.clearContext(context);
  }

  exec(command: readonly string[], options?: ExecOptions): Promise<CommandResult> {
    return this.browser.sandbox.exec(command, options);
  }

  spawn(command: readonly string[], options?: SpawnOptions): Promise<SandboxProcess> {
    return this.browser.sandbox.spawn(command, options);
  }

  setNetwork(policy: NetworkPolicy): Promise<void> {
    return this.browser.sandbox.setNetwork(policy);
  }

  interrupt(context?: string): Promise<void> {
    return this.browser.sandbox.interrupt(context);
  }

  close(): Promise<void> {
    return this.browser.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
