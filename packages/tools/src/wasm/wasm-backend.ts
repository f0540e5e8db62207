import type { Capabilities } from "../capabilities.ts";
import { type CallContext, type Clock, type IdSource, systemClock, systemIds } from "../dialect.ts";
import { ToolsError } from "../errors.ts";
import type { IsolationGrade } from "../grades.ts";
import { parseSandboxSpec } from "../parse-sandbox-spec.ts";
import type { Sandbox } from "../sandbox.ts";
import type { ProbeReport, SandboxBackend } from "../sandbox-backend.ts";
import type { SandboxSpec } from "../sandbox-spec.ts";
import type { Workspaces } from "../workspaces.ts";
import { WasmSandbox } from "./wasm-sandbox.ts";

export interface WasmBackendDeps {
  readonly clock?: Clock;
  readonly ids?: IdSource;
  /** Without it a spec that names a workspace is refused. */
  readonly workspaces?: Workspaces;
}

const capabilities: Capabilities = {
  backend: "wasm",
  grade: "language",
  languages: ["javascript"],
  commands: false,
  pty: false,
  interrupt: true,
  ports: false,
  pause: false,
  snapshot: false,
  userNamespaces: false,
  network: ["none"],
  limits: {
    memory: "enforced",
    cpus: "none",
    processes: "enforced",
    disk: "enforced",
    wallTime: "enforced",
    output: "enforced",
  },
  notes: [
    "One program runs at a time: contexts take turns on one thread.",
    "A running program may use a whole processor; bubblewrap, gvisor and container can give it a share.",
    "The memory limit is the interpreter's; files are held beside it, under the disk limit.",
  ],
};

const DEFAULTS = {
  memoryMiB: 512,
  cpus: 1,
  processes: 1,
  diskMiB: 256,
  wallTimeMs: 60_000,
  outputBytes: 1024 * 1024,
} as const;

/**
 * JavaScript in QuickJS compiled to WebAssembly (optional peers `quickjs-emscripten-core` and `@jitl/quickjs-wasmfile-release-sync`): needs nothing of the machine
 * but Node, runs on every system, has no processes, no network and no modules.
 */
export class WasmBackend implements SandboxBackend {
  readonly name = "wasm";
  readonly grade: IsolationGrade = "language";
  readonly #clock: Clock;
  readonly #ids: IdSource;
  readonly #workspaces: Workspaces | undefined;
  readonly #open = new Set<Sandbox>();
  #probed: Promise<ProbeReport> | undefined;

  constructor({ clock = systemClock, ids = systemIds, workspaces }: WasmBackendDeps = {}) {
    this.#clock = clock;
    this.#ids = ids;
    this.#workspaces = workspaces;
  }

  probe(): Promise<ProbeReport> {
    this.#probed ??= this.#probe();
    return this.#probed;
  }

  async create(context: CallContext, given: SandboxSpec = {}): Promise<Sandbox> {
    const spec = parseSandboxSpec(given);
    refuse(spec);
    const report = await this.probe();
    if (!report.ok) throw new ToolsError("TOOLS_ISOLATION_UNAVAILABLE", `${report.reason} ${report.remedy}`);
    const sandbox = this.#make(context, spec);
    try {
      await sandbox.restore();
    } catch (error) {
      await sandbox.close();
      throw error;
    }
    this.#open.add(sandbox);
    void sandbox.closed.then(() => this.#open.delete(sandbox));
    return sandbox;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((sandbox) => sandbox.close()));
  }

  #make(context: CallContext, { limits, environment = {}, workspace }: SandboxSpec): WasmSandbox {
    const store = this.#workspaces;
    if (workspace !== undefined && store === undefined) {
      throw new ToolsError("TOOLS_INVALID", "A workspace was named, but the backend was given no `workspaces`.");
    }
    return new WasmSandbox({
      id: this.#ids.next("sbx"),
      context,
      capabilities,
      limits: { ...DEFAULTS, ...limits },
      environment,
      clock: this.#clock,
      ids: this.#ids,
      ...(workspace === undefined || store === undefined ? {} : { workspace: { name: workspace, store } }),
    });
  }

  /** Starts the engine, computes, and makes sure that a program cannot take more memory than its cap. */
  async #probe(): Promise<ProbeReport> {
    const failed = (reason: string): ProbeReport => ({
      ok: false,
      backend: this.name,
      grade: this.grade,
      reason,
      remedy: "Install the optional peers: npm install quickjs-emscripten-core @jitl/quickjs-wasmfile-release-sync.",
    });
    const sandbox = this.#make({ principal: { tenant: "probe" } }, { limits: { memoryMiB: 32, wallTimeMs: 10_000 } });
    try {
      const sum = await sandbox.run("6 * 7");
      if (sum.results[0]?.data["text/plain"] !== "42") {
        return failed(`The engine did not start: ${sum.error?.message ?? sum.status}.`);
      }
      const bomb = await sandbox.run("const kept = []; for (;;) kept.push(new Uint8Array(1024 * 1024).fill(1));");
      if (bomb.status !== "error") return failed(`A program that takes all memory ended as ${bomb.status}.`);
      return { ok: true, backend: this.name, capabilities };
    } catch (error) {
      return failed(error instanceof Error ? error.message : String(error));
    } finally {
      await sandbox.close();
    }
  }
}

function refuse({ languages = [], network, mounts, image, userNamespaces }: SandboxSpec): void {
  const missing = languages.find((language) => language !== "javascript");
  if (missing !== undefined) {
    throw new ToolsError("TOOLS_LANGUAGE_MISSING", `The wasm backend runs JavaScript only, not ${missing}.`);
  }
  if (network !== undefined && network.mode !== "none") {
    throw new ToolsError("TOOLS_NETWORK_REFUSED", "The wasm backend has no network: its only policy is `none`.");
  }
  if (mounts !== undefined && mounts.length > 0) {
    throw new ToolsError("TOOLS_UNSUPPORTED", "The wasm backend shows no folders of the host.");
  }
  if (image !== undefined || userNamespaces) {
    throw new ToolsError("TOOLS_UNSUPPORTED", "The wasm backend has no images and no namespaces.");
  }
}
