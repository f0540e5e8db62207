import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CgroupKeeper, cgroupLimits, findCgroups } from "../bubblewrap/cgroups.ts";
import { ownPrefix, sweep } from "../bubblewrap/leftovers.ts";
import type { Capabilities, Enforcement } from "../capabilities.ts";
import { type CallContext, type Clock, type IdSource, systemClock, systemIds } from "../dialect.ts";
import type { EgressGateway, EgressLink } from "../egress.ts";
import { ToolsError } from "../errors.ts";
import type { IsolationGrade } from "../grades.ts";
import { GuestSandbox } from "../guest/guest-sandbox.ts";
import type { Launch } from "../guest/launch.ts";
import { proveGuest } from "../guest/prove.ts";
import { guestEgress, offeredNetworks, openWayOut, shownFor } from "../guest/way-out.ts";
import { findNode, findPython, nodeInside, type Python } from "../internal/interpreters.ts";
import { parseSandboxSpec } from "../parse-sandbox-spec.ts";
import type { Sandbox } from "../sandbox.ts";
import type { ProbeReport, SandboxBackend } from "../sandbox-backend.ts";
import type { SandboxSpec } from "../sandbox-spec.ts";
import type { Workspaces } from "../workspaces.ts";
import { writeBundle } from "./bundle.ts";

export interface GvisorBackendDeps {
  readonly clock?: Clock;
  readonly ids?: IdSource;
  readonly egress?: EgressGateway;
  readonly workspaces?: Workspaces;
  /** Absolute paths, where they are not in the usual places. */
  readonly runsc?: string;
  readonly python?: string;
  readonly node?: string;
  /** How system calls are caught. Default: `systrap` where this `runsc` has it, else `ptrace`. */
  readonly platform?: "systrap" | "ptrace" | "kvm";
}

/** For `runsc` itself: one that hangs counts as one that does not work. */
const ANSWER_MS = 10_000;
const KERNEL_THREADS = 256;

/** A second kernel in user space: system calls of what runs inside are served by gVisor's `runsc`. */
export class GvisorBackend implements SandboxBackend {
  readonly name = "gvisor";
  readonly grade: IsolationGrade = "kernel";
  readonly #deps: GvisorBackendDeps;
  readonly #runsc: string;
  readonly #sandboxes = new Set<GuestSandbox>();
  #report: Promise<ProbeReport> | undefined;
  #platform = "ptrace";
  #python: Python = { program: "" };
  #node: string | undefined;
  #compiled: Buffer | undefined;
  #cgroups: CgroupKeeper | undefined;

  constructor(deps: GvisorBackendDeps = {}) {
    this.#deps = deps;
    this.#runsc = deps.runsc ?? "/usr/bin/runsc";
  }

  probe(): Promise<ProbeReport> {
    this.#report ??= this.#probe();
    return this.#report;
  }

  async create(context: CallContext, given: SandboxSpec = {}): Promise<Sandbox> {
    const spec = parseSandboxSpec(given);
    const report = await this.probe();
    if (!report.ok) throw new ToolsError("TOOLS_ISOLATION_UNAVAILABLE", `gvisor: ${report.reason} ${report.remedy}`);
    const { languages, notes } = report.capabilities;
    const missing = spec.languages?.find((language) => !languages.includes(language));
    if (missing !== undefined) {
      throw new ToolsError("TOOLS_LANGUAGE_MISSING", `gvisor has no ${missing} here. ${notes.join(" ")}`);
    }
    if (spec.image !== undefined) throw new ToolsError("TOOLS_UNSUPPORTED", "gvisor has no images: use container.");
    if (spec.userNamespaces) throw new ToolsError("TOOLS_UNSUPPORTED", "The gvisor backend nests no user namespaces.");
    return this.#start(context, spec, report.capabilities);
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#sandboxes].map((sandbox) => sandbox.close()));
  }

  async #start(context: CallContext, spec: SandboxSpec, capabilities: Capabilities): Promise<GuestSandbox> {
    const id = (this.#deps.ids ?? systemIds).next("sbx");
    const link = await openWayOut(this.#deps.egress, context, id, spec);
    try {
      const sandbox = await GuestSandbox.start({
        ...{ id, context, spec, capabilities, workspaces: this.#deps.workspaces },
        node: this.#node === undefined ? undefined : nodeInside(this.#node),
        launch: this.#launch(id, spec, link),
        compiled: this.#compiled,
        egress: guestEgress(link),
        clock: this.#deps.clock ?? systemClock,
      });
      this.#sandboxes.add(sandbox);
      void sandbox.closed.then(() => this.#sandboxes.delete(sandbox));
      return sandbox;
    } catch (error) {
      await link?.close();
      throw error;
    }
  }

  #launch(id: string, spec: SandboxSpec, link: EgressLink | undefined): Launch {
    const folder = mkdtempSync(join(tmpdir(), ownPrefix()));
    const wayOut = shownFor(link, join(folder, "certificates.pem"));
    writeBundle(folder, { python: this.#python, node: this.#node, spec, wayOut });
    const state = join(folder, "state");
    mkdirSync(state);
    const { processes, ...limits } = cgroupLimits(spec.limits);
    // The threads of the second kernel count too, and it does not outlive a refusal.
    const group = this.#cgroups?.create(id, { ...limits, processes: processes * 2 + KERNEL_THREADS });
    const joins = (group?.join ?? []).map((list) => `echo $$ > ${list} || exit 125;`).join(" ");
    const flags = ["--root", state, "--network=none", `--platform=${this.#platform}`, "--ignore-cgroups"];
    // Of the host's sockets only those in folders that are shown: the way out's own.
    if (link !== undefined) flags.push("--host-uds=open");
    const child = spawn(
      "/bin/sh",
      ["-c", `${joins} exec "$@"`, "sh", this.#runsc, ...flags, "run", "--bundle", folder, id],
      { env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" }, stdio: ["pipe", "pipe", "pipe"], cwd: "/" },
    );
    let log = "";
    child.stderr.on("data", (chunk: Buffer) => {
      if (log.length < 2_000) log += chunk.toString("utf8");
    });
    const exited = new Promise<{ readonly reason: string }>((resolve) => {
      child.once("error", (error) => resolve({ reason: error.message }));
      child.once("close", (code, signal) =>
        resolve({ reason: log.trim().slice(0, 500) || `ended with ${signal ?? code}` }),
      );
    });
    const drop = () =>
      new Promise((resolve) => {
        const settings = { stdio: "ignore", env: {}, timeout: ANSWER_MS, killSignal: "SIGKILL" } as const;
        const deletion = spawn(this.#runsc, [...flags, "delete", "--force", id], settings);
        deletion.once("close", resolve).once("error", resolve);
      });
    return {
      stdin: child.stdin,
      stdout: child.stdout,
      exited,
      kill() {
        child.kill("SIGKILL");
        // The groups hold all that runs for the sandbox; `runsc` asks itself for a second or two.
        if (group === undefined) void drop();
        else group.kill();
      },
      release: async () => {
        if (group === undefined) await drop();
        for (let tries = 0; group !== undefined && !group.remove() && tries < 100; tries++) {
          group.kill();
          await systemClock.sleep(10);
        }
        rmSync(folder, { recursive: true, force: true });
      },
    };
  }

  async #probe(): Promise<ProbeReport> {
    const failed = (reason: string, remedy: string): ProbeReport => ({
      ...{ ok: false as const, backend: this.name, grade: this.grade, reason, remedy },
    });
    if (!existsSync(this.#runsc)) return failed(`${this.#runsc} is not there.`, "Install the package runsc.");
    if (process.getuid?.() !== 0) return failed("runsc needs root here.", "Run the worker as root, or use bubblewrap.");
    const python = findPython(this.#deps.python === undefined ? undefined : [this.#deps.python]);
    if (python === undefined) return failed("No real Python 3.9 or newer answers.", "Install the package python3.");
    this.#python = python;
    this.#node = findNode(this.#deps.node === undefined ? undefined : [this.#deps.node]);
    sweep(tmpdir(), (path) => rmSync(path, { recursive: true }));
    this.#platform = this.#deps.platform ?? this.#choosePlatform();
    this.#cgroups = findCgroups();
    try {
      const sandbox = await this.#start({ principal: { tenant: "ashlar-probe" } }, {}, this.#capabilities());
      try {
        this.#compiled = await sandbox.compile();
        if (this.#node !== undefined && (await sandbox.run("1 + 1", { language: "typescript" })).status !== "ok") {
          this.#node = undefined;
        }
        const found = await proveGuest(sandbox);
        if (found !== undefined) return failed(found, "Do not use this backend here; report what it said.");
        const kernel = await sandbox.exec(["/bin/cat", "/proc/version"]);
        if (kernel.stdout === spawnSync("/bin/cat", ["/proc/version"]).stdout.toString()) {
          return failed("Programs inside see the host's own kernel.", "Check that runsc is gVisor's.");
        }
      } finally {
        await sandbox.close();
      }
      return { ok: true, backend: this.name, capabilities: this.#capabilities() };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return failed(
        reason,
        "Try another `platform`; ptrace needs kernel.yama.ptrace_scope below 3 and CAP_SYS_PTRACE.",
      );
    }
  }

  #choosePlatform(): string {
    const known = spawnSync(this.#runsc, ["--network=none", "--platform=systrap", "--ignore-cgroups", "do", "true"], {
      ...{ stdio: "ignore", timeout: ANSWER_MS, killSignal: "SIGKILL" },
    });
    return known.status === 0 ? "systrap" : "ptrace";
  }

  #capabilities(): Capabilities {
    const kept: Enforcement = this.#cgroups === undefined ? "none" : "enforced";
    const notes: string[] = [];
    if (this.#platform === "ptrace")
      notes.push("System calls are caught with ptrace: a newer runsc (systrap) is faster.");
    if (this.#cgroups !== undefined) {
      notes.push(
        "Processes are counted with the second kernel's own threads; over a limit of processes or memory the sandbox ends whole.",
      );
    }
    if (this.#cgroups === undefined) notes.push("No writable control groups: memory, processes and CPU are not held.");
    if (this.#node === undefined) notes.push("No JavaScript: no Node that the user inside can read.");
    return {
      backend: this.name,
      grade: this.grade,
      languages: this.#node === undefined ? ["python"] : ["python", "javascript", "typescript"],
      commands: true,
      pty: true,
      interrupt: true,
      ports: true,
      pause: false,
      snapshot: false,
      userNamespaces: false,
      network: offeredNetworks(this.#deps.egress),
      limits: {
        ...{ memory: kept, cpus: kept, processes: this.#cgroups === undefined ? "none" : "degraded" },
        ...{ disk: "enforced", wallTime: "enforced", output: "enforced" },
      },
      notes,
    };
  }
}
