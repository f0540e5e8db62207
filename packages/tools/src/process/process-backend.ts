import { execFile, spawn } from "node:child_process";
import { chown, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Capabilities } from "../capabilities.ts";
import { type CallContext, type Clock, type IdSource, systemClock, systemIds } from "../dialect.ts";
import { ToolsError } from "../errors.ts";
import { GuestSandbox } from "../guest/guest-sandbox.ts";
import { GUEST_COMMAND } from "../guest/launch.ts";
import { findNode, findPython } from "../internal/interpreters.ts";
import { parseSandboxSpec } from "../parse-sandbox-spec.ts";
import type { Sandbox } from "../sandbox.ts";
import type { ProbeReport, SandboxBackend } from "../sandbox-backend.ts";
import type { SandboxSpec } from "../sandbox-spec.ts";
import type { Workspaces } from "../workspaces.ts";

export interface ProcessBackendDeps {
  /** Says that the caller knows: what runs here is as free as the program that starts it. */
  readonly unsafe: true;
  readonly clock?: Clock;
  readonly ids?: IdSource;
  readonly workspaces?: Workspaces;
  readonly python?: string;
  readonly node?: string;
  /** User and group to run as, where this process may change them. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

/** No isolation: ordinary child processes in a temporary folder, for development. Warns at every sandbox. */
export class ProcessBackend implements SandboxBackend {
  readonly name = "process";
  readonly grade = "none";
  readonly #deps: ProcessBackendDeps;
  readonly #sandboxes = new Set<GuestSandbox>();
  #report: Promise<ProbeReport> | undefined;

  constructor(deps: ProcessBackendDeps) {
    if (deps.unsafe !== true)
      throw new ToolsError("TOOLS_INVALID", "The process backend isolates nothing: say unsafe: true.");
    this.#deps = deps;
  }

  probe(): Promise<ProbeReport> {
    this.#report ??= this.#probe();
    return this.#report;
  }

  async create(context: CallContext, given: SandboxSpec = {}): Promise<Sandbox> {
    const spec = parseSandboxSpec(given);
    const report = await this.probe();
    if (!report.ok) throw new ToolsError("TOOLS_ISOLATION_UNAVAILABLE", `process: ${report.reason} ${report.remedy}`);
    const { capabilities } = report;
    for (const language of spec.languages ?? []) {
      if (!capabilities.languages.includes(language))
        throw new ToolsError("TOOLS_LANGUAGE_MISSING", `There is no ${language} here.`);
    }
    if (
      spec.network?.mode === "allow" ||
      spec.network?.mode === "packages" ||
      spec.userNamespaces ||
      spec.mounts !== undefined ||
      spec.image !== undefined
    ) {
      throw new ToolsError(
        "TOOLS_UNSUPPORTED",
        "The process backend holds no network policy and has no namespaces, mounts or images.",
      );
    }
    process.emitWarning("The process backend isolates nothing: code runs as this program's user, with its network.", {
      code: "ASHLAR_NO_ISOLATION",
    });
    const id = (this.#deps.ids ?? systemIds).next("sbx");
    const folder = await realpath(await mkdtemp(join(tmpdir(), "ashlar-process-")));
    const { user } = this.#deps;
    if (user !== undefined) await chown(folder, user.uid, user.gid);
    const child = spawn(this.#python(), GUEST_COMMAND, {
      ...{ cwd: folder, detached: true, stdio: ["pipe", "pipe", "ignore"], ...user },
      env: { PATH: "/usr/local/bin:/usr/bin:/bin", HOME: folder, LANG: "C.UTF-8", TMPDIR: folder },
    });
    const exited = new Promise<{ readonly reason: string }>((resolve) => {
      child.once("error", (error) => resolve({ reason: error.message }));
      child.once("close", (code, signal) => resolve({ reason: `ended with ${signal ?? code}` }));
    });
    const sandbox = await GuestSandbox.start({
      ...{ id, context, spec, capabilities, node: this.#node(), workspaces: this.#deps.workspaces },
      clock: this.#deps.clock ?? systemClock,
      launch: {
        ...{ stdin: child.stdin, stdout: child.stdout, exited, workspace: folder, roots: [folder] },
        // The guest ends its programs when its channel closes.
        kill: () => child.stdin.destroy(),
        release: () => removed(folder),
      },
    });
    this.#sandboxes.add(sandbox);
    void sandbox.closed.then(() => this.#sandboxes.delete(sandbox));
    return sandbox;
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#sandboxes].map((sandbox) => sandbox.close()));
  }

  #python(): string {
    return findPython(this.#deps.python === undefined ? undefined : [this.#deps.python])?.program ?? "";
  }

  #node(): string | undefined {
    return findNode(this.#deps.node === undefined ? undefined : [this.#deps.node]);
  }

  async #probe(): Promise<ProbeReport> {
    const refusal = { ok: false, backend: this.name, grade: this.grade } as const;
    if (process.platform !== "linux")
      return { ...refusal, reason: "The guest needs Linux.", remedy: "Use wasm or the container backend." };
    if (this.#python() === "") {
      return {
        ...refusal,
        reason: "No real Python 3.9 or newer answers.",
        remedy: "Install the package python3, or name its absolute path.",
      };
    }
    const capabilities: Capabilities = {
      ...{
        backend: this.name,
        grade: this.grade,
        commands: true,
        pty: true,
        interrupt: true,
        ports: true,
        pause: false,
        snapshot: false,
        userNamespaces: false,
      },
      languages: this.#node() === undefined ? ["python"] : ["python", "javascript", "typescript"],
      network: ["none", "open"],
      limits: {
        memory: "none",
        cpus: "none",
        processes: "none",
        disk: "none",
        wallTime: "degraded",
        output: "enforced",
      },
      notes: [
        "Nothing is isolated: files, processes and the network of this machine are open, whatever the policy says.",
      ],
    };
    return { ok: true, backend: this.name, capabilities };
  }
}

/** By `rm`, which also takes trees that are deeper than any path. */
async function removed(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 5 }).catch(() =>
    promisify(execFile)("/bin/rm", ["-rf", folder], { timeout: 30_000 }),
  );
}
